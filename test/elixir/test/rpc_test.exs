defmodule HarTest.RpcTest do
  @moduledoc "`:rpc` of a BEAM against `har`; failures are compared with a BEAM's own."
  use ExUnit.Case

  alias HarTest.{Beam, Har, Shape, Wait}

  setup_all do
    har = Har.start_supervised()
    beam = Beam.start_supervised()
    HarTest.connect!(har)
    true = Node.connect(beam.node)
    %{har: har.node, beam: beam.node}
  end

  # What a BEAM answers to the same question is the specification.
  defp assert_same(%{har: har, beam: beam}, ask) do
    assert Shape.outcome(har, fn -> ask.(har) end) == Shape.outcome(beam, fn -> ask.(beam) end)
  end

  test "call returns the value", %{har: har} do
    assert is_binary(:rpc.call(har, HAR, :version, []))
    assert :rpc.call(har, :erlang, :node, []) == har
  end

  test "call with a timeout returns the value", %{har: har} do
    assert :rpc.call(har, :erlang, :node, [], 20_000) == har
  end

  for {label, module, function, args} <- [
        {"an unknown module", :no_such_module, :f, []},
        {"an unknown module with arguments", :no_such_module, :f, [1, "two", {:three, [4]}]},
        {"an unknown function of erlang", :erlang, :no_such_function, [1]},
        {"an unknown Elixir module", NoSuch.Module, :run, [%{a: 1}]},
        {"a wrong arity", HAR, :version, [1, 2, 3, 4, 5, 6]},
        {"a module name that is no atom", "lists", :reverse, [[]]},
        {"a function name that is no atom", :lists, "reverse", [[]]},
        {"arguments that are no list", :lists, :reverse, :oops},
        {"an improper argument list", :lists, :reverse, [1 | 2]}
      ] do
    test "call of #{label} fails as on a BEAM", context do
      call = unquote(Macro.escape({module, function, args}))
      {module, function, args} = call
      assert_same(context, &:rpc.call(&1, module, function, args))
    end
  end

  test "the shape of undef is the one that people match on", %{har: har} do
    assert {:badrpc, {:EXIT, {:undef, [{:no_such_module, :f, [7], []} | _]}}} =
             :rpc.call(har, :no_such_module, :f, [7])
  end

  test "call of a node that is not there is nodedown", %{har: _har} do
    assert :rpc.call(:"nobody@127.0.0.1", HAR, :version, []) == {:badrpc, :nodedown}
  end

  test "cast returns true and leaves the node well", %{har: har} do
    assert :rpc.cast(har, HAR, :version, []) == true
    assert :rpc.cast(har, :no_such_module, :f, []) == true
    assert :rpc.call(har, :erlang, :node, []) == har
  end

  test "async_call, yield and nb_yield", %{har: har} do
    key = :rpc.async_call(har, :erlang, :node, [])
    assert :rpc.yield(key) == har
    key = :rpc.async_call(har, :no_such_module, :f, [])
    assert {:value, {:badrpc, {:EXIT, {:undef, _}}}} = :rpc.nb_yield(key, 20_000)
  end

  test "block_call goes through rex", context do
    assert :rpc.block_call(context.har, :erlang, :node, []) == context.har
    assert_same(context, &:rpc.block_call(&1, :no_such_module, :f, [1]))
  end

  test "an old style call message to rex is answered", %{har: har} do
    leader = Process.group_leader()
    send({:rex, har}, {self(), {:call, :erlang, :node, [], leader}})
    assert_receive {:rex, ^har}
  end

  test "a C node asks: erl_call", %{har: har} do
    erl_call = System.find_executable("erl_call") || raise "no erl_call in PATH"
    args = ["-name", "#{har}", "-c", "#{HarTest.cookie()}", "-a", "erlang node"]
    assert {text, 0} = System.cmd(erl_call, args, stderr_to_stdout: true)
    assert text =~ "#{har}"
  end

  test "multicall asks all and tells the missing", %{har: har, beam: beam} do
    nodes = [Node.self(), har, beam]
    assert {answers, []} = :rpc.multicall(nodes, :erlang, :node, [], 20_000)
    assert Enum.sort(answers) == Enum.sort(nodes)

    assert {[^har], [:"nobody@127.0.0.1"]} =
             :rpc.multicall([har, :"nobody@127.0.0.1"], :erlang, :node, [], 20_000)
  end

  test "eval_everywhere returns at once", %{har: har} do
    assert :rpc.eval_everywhere([har], HAR, :version, []) == :abcast
  end

  test "abcast and a name that nobody has", %{har: har} do
    assert :rpc.abcast([har], :nobody_of_this_name, :hello) == :abcast
    assert :rpc.call(har, :erlang, :node, []) == har
  end

  test "abcast delivers: the sink counted it", %{har: har} do
    send({:sink, har}, {self(), :sync})
    assert_receive {:sink, _count, _bytes}
    :abcast = :rpc.abcast([har], :sink, "12345")
    send({:sink, har}, {self(), :sync})
    assert_receive {:sink, 1, 5}
  end

  test "sbcast tells good and bad nodes as a BEAM does", context do
    assert :rpc.sbcast([context.har], :net_kernel, :hello) == {[context.har], []}
    assert_same(context, &:rpc.sbcast([&1], :nobody_of_this_name, :hello))
  end

  test "server_call", %{har: har} do
    # The wrapper convention of rpc: the server answers `{wrapper, node, reply}`. Nobody has the
    # name here, which must be an error at once, not a wait.
    assert :rpc.server_call(har, :nobody_of_this_name, :wrapper, :hi) == {:error, :nodedown}
  end

  test "pmap over several nodes", %{har: har} do
    assert :rpc.parallel_eval(for _ <- 1..3, do: {:erlang, :node, []}) |> length() == 3
    assert :rpc.pinfo(self()) != :undefined
    assert :rpc.call(har, :erlang, :node, []) == har
  end

  test "features_request is answered", %{har: har} do
    send({:rex, har}, {self(), :features_request})
    assert_receive {:features_reply, ^har, features}
    assert :erpc in features
  end

  test "64 callers at the same time each get their own answer", %{har: har} do
    answers =
      1..64
      |> Task.async_stream(
        fn n -> {n, :rpc.call(har, :no_such_module, :f, [n])} end,
        max_concurrency: 64,
        timeout: 60_000
      )
      |> Enum.map(fn {:ok, answer} -> answer end)

    for {n, answer} <- answers do
      assert {:badrpc, {:EXIT, {:undef, [{:no_such_module, :f, [^n], []} | _]}}} = answer
    end
  end

  test "a big argument and a big answer", %{har: har} do
    big = :crypto.strong_rand_bytes(3_000_000)

    assert {:badrpc, {:EXIT, {:undef, [{:no_such_module, :f, [^big], []} | _]}}} =
             :rpc.call(har, :no_such_module, :f, [big])
  end

  test "a call whose caller dies does no harm", %{har: har} do
    callers = for _ <- 1..20, do: spawn(fn -> :rpc.call(har, HAR, :version, []) end)
    Enum.each(callers, &Process.exit(&1, :kill))
    Wait.until("the callers were gone", fn -> not Enum.any?(callers, &Process.alive?/1) end)
    assert :rpc.call(har, :erlang, :node, []) == har
  end
end
