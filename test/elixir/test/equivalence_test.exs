defmodule HarTest.EquivalenceTest do
  @moduledoc """
  The calls of `HarTest.Equivalence`, made by one BEAM to a BEAM and to a `har` node. Their
  outcomes are the same, but for those that `docs/differences.md` lists.
  """
  use ExUnit.Case

  alias HarTest.{Beam, Equivalence, Har}

  @calls_min 300

  # Those that act are compared too; by default peers may not call them.
  @all_calls "*,erlang:!,erlang:send,erlang:exit/2,erlang:disconnect_node,erlang:get_cookie," <>
               "erlang:set_cookie,erlang:halt,code:load_binary,global:send,init:reboot," <>
               "init:restart,init:stop,net_adm:ping,Node.ping,net_kernel:allow,net_kernel:connect_node," <>
               "net_kernel:hidden_connect_node,net_kernel:stop,os:cmd,os:getenv,pg:join," <>
               "pg:leave,rpc:call,Kernel.send,Node.connect,Node.disconnect,Node.get_cookie," <>
               "Node.stop,System.get_env,sys:replace_state,sys:resume,sys:suspend,sys:terminate"

  setup_all do
    har = Har.start_supervised(env: [{"HAR_CALLS_ALLOW", @all_calls}])
    beam = Beam.start_supervised()
    HarTest.connect!(har)
    true = Node.connect(beam.node)
    Beam.call(beam, HarTest.Remote, :start_services, [])
    {:ok, _} = Beam.call(beam, :application, :ensure_all_started, [:runtime_tools])
    document = File.read!(System.fetch_env!("HAR_DIFFERENCES"))
    nodes = [har.node, beam.node]
    # The mesh is closed before one of them is asked for its nodes.
    for node <- nodes, other <- nodes -- [node] do
      Beam.until(beam, "#{node} sees #{other}", :rpc, :call, [node, :erlang, :nodes, []], fn seen ->
        other in seen
      end)
    end

    # What both were not asked the same way would not be the same.
    came =
      for {label, fun, blanked} <- Equivalence.calls() do
        [of_beam, of_har] =
          for node <- [beam.node, har.node],
              do: Equivalence.outcome(fun, node, nodes -- [node], blanked)

        {label, of_beam, of_har}
      end

    %{came: came, listed: Equivalence.listed(document, HarTest.otp())}
  end

  test "there are at least #{@calls_min}, each with a name of its own", %{came: came} do
    labels = for {label, _, _} <- came, do: label
    assert length(labels) >= @calls_min
    assert labels -- Enum.uniq(labels) == []
  end

  test "each is an outcome, not a wait in vain", %{came: came} do
    assert [] = for({label, beam, har} <- came, :no_outcome in [beam, har], do: label)
  end

  test "what differs is listed in docs/differences.md", %{came: came, listed: listed} do
    unlisted = for {label, a, b} <- came, a != b, label not in listed, do: {label, a, b}

    shown =
      Enum.map_join(unlisted, "\n", fn {label, beam, har} ->
        "- `#{label}`\n    BEAM #{inspect(beam, limit: 60)}\n    har  #{inspect(har, limit: 60)}"
      end)

    assert unlisted == [], "these differ and are not listed:\n#{shown}"
  end

  test "what docs/differences.md lists does differ", %{came: came, listed: listed} do
    same = for {label, a, a} <- came, label in listed, do: label
    assert same == [], "listed, but the same here: #{inspect(same, pretty: true)}"
    known = for {label, _, _} <- came, do: label
    strangers = listed -- known
    assert strangers == [], "listed, but no call of the suite: #{inspect(strangers)}"
  end
end
