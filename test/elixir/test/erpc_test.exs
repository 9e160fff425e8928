defmodule HarTest.ErpcTest do
  @moduledoc "`:erpc` of a BEAM against `har`."
  use ExUnit.Case

  alias HarTest.{Beam, Har, OsProcess, Shape}

  setup_all do
    har = Har.start_supervised()
    beam = Beam.start_supervised()
    HarTest.connect!(har)
    true = Node.connect(beam.node)
    %{har: har.node, beam: beam.node}
  end

  defp assert_same(%{har: har, beam: beam}, ask) do
    assert Shape.outcome(har, fn -> ask.(har) end) == Shape.outcome(beam, fn -> ask.(beam) end)
  end

  test "call returns the value", %{har: har} do
    assert :erpc.call(har, :erlang, :node, []) == har
    assert :erpc.call(har, HAR, :version, []) == :rpc.call(har, HAR, :version, [])
  end

  for {label, module, function, args} <- [
        {"an unknown module", :no_such_module, :f, []},
        {"an unknown function", :erlang, :no_such_function, [1, [2], %{3 => 4}]},
        {"an unknown Elixir function", NoSuch.Module, :run, ["x"]},
        {"arguments that are no list", :lists, :reverse, :oops}
      ] do
    test "call of #{label} raises as on a BEAM", context do
      {module, function, args} = unquote(Macro.escape({module, function, args}))
      assert_same(context, &:erpc.call(&1, module, function, args))
    end
  end

  test "an undefined function is an error exception with the frame", %{har: har} do
    assert {:exception, :undef, [{:no_such_module, :f, [1], []}]} =
             catch_error(:erpc.call(har, :no_such_module, :f, [1]))
  end

  test "a fun of this node's module cannot run there", %{har: har} do
    {class, _reason} = Shape.outcome(har, fn -> :erpc.call(har, fn -> :here end) end)
    assert class in [:error, :exit]
    assert :erpc.call(har, :erlang, :node, []) == har
  end

  test "an exported fun runs by name", %{har: har} do
    assert :erpc.call(har, &:erlang.node/0) == har
  end

  test "call of a node that is not there is noconnection" do
    assert {:erpc, :noconnection} = catch_error(:erpc.call(:"nobody@127.0.0.1", :erlang, :node, []))
  end

  test "cast", %{har: har} do
    assert :erpc.cast(har, HAR, :version, []) == :ok
    assert :erpc.cast(har, :no_such_module, :f, []) == :ok
    assert :erpc.call(har, :erlang, :node, []) == har
  end

  test "multicall gives an answer for each node", context do
    %{har: har, beam: beam} = context

    assert :erpc.multicall([har, beam, Node.self()], :erlang, :node, []) ==
             [{:ok, har}, {:ok, beam}, {:ok, Node.self()}]

    assert [{:error, {:exception, :undef, [{:no_such_module, :f, [], []}]}}] =
             :erpc.multicall([har], :no_such_module, :f, [])

    assert [{:error, {:erpc, :noconnection}}, {:ok, ^har}] =
             :erpc.multicall([:"nobody@127.0.0.1", har], :erlang, :node, [])
  end

  test "multicast", %{har: har, beam: beam} do
    assert :erpc.multicast([har, beam], :erlang, :node, []) == :ok
  end

  test "send_request, wait_response and receive_response", %{har: har} do
    request = :erpc.send_request(har, :erlang, :node, [])
    assert :erpc.receive_response(request, 20_000) == har
    request = :erpc.send_request(har, :erlang, :node, [])
    assert {:response, ^har} = :erpc.wait_response(request, 20_000)
  end

  test "send_request with check_response on a message", %{har: har} do
    request = :erpc.send_request(har, :erlang, :node, [])
    assert_receive message
    assert {:response, ^har} = :erpc.check_response(message, request)
  end

  test "requests in flight are answered in any order, each its own", %{har: har} do
    requests = for n <- 1..200, do: {n, :erpc.send_request(har, :no_such_module, :f, [n])}

    for {n, request} <- Enum.shuffle(requests) do
      assert {:exception, :undef, [{:no_such_module, :f, [^n], []}]} =
               catch_error(:erpc.receive_response(request, 20_000))
    end
  end

  test "a node killed while a call waits gives noconnection" do
    victim = Har.start_supervised()
    node = HarTest.connect!(victim)
    parent = self()

    # `echo` never answers a GenServer call, so this one is still open when the node dies.
    spawn(fn ->
      send(parent, :calling)
      send(parent, {:ended, catch_exit(GenServer.call({:echo, node}, :no_answer, :infinity))})
    end)

    assert_receive :calling
    assert :erpc.call(node, :erlang, :node, []) == node
    OsProcess.signal(victim.process, "KILL")
    assert_receive {:ended, {{:nodedown, ^node}, _call}}
    assert {:erpc, :noconnection} = catch_error(:erpc.call(node, :erlang, :node, []))
  end

  test "1,000 calls from 16 callers", %{har: har} do
    1..1_000
    |> Task.async_stream(fn _ -> :erpc.call(har, :erlang, :node, []) end,
      max_concurrency: 16,
      timeout: 120_000
    )
    |> Enum.each(fn answer -> assert answer == {:ok, har} end)
  end
end
