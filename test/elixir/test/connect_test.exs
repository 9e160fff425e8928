defmodule HarTest.ConnectTest do
  @moduledoc "What a person at `iex` does first: connect, list, ping, look away."
  use ExUnit.Case

  alias HarTest.{Beam, Epmd, Har, OsProcess, Wait}

  setup_all do
    %{har: Har.start_supervised()}
  end

  setup %{har: har} do
    on_exit(fn -> disconnect(har.node) end)
  end

  defp disconnect(node) do
    Node.disconnect(node)
    Wait.until("#{node} was away", fn -> node not in Node.list(:connected) end)
  end

  test "Node.connect/1 is true", %{har: har} do
    HarTest.patiently("it is true", fn -> Node.connect(har.node) == true end)
  end

  test "Node.connect/1 is true again when connected", %{har: har} do
    HarTest.connect!(har)
    assert Node.connect(har.node) == true
  end

  test "Node.list/0 shows it as a visible node", %{har: har} do
    HarTest.connect!(har)
    assert har.node in Node.list()
    assert har.node in Node.list(:connected)
    refute har.node in Node.list(:hidden)
  end

  test "Node.ping/1 and :net_adm.ping/1 answer pong", %{har: har} do
    HarTest.patiently("it is :pong", fn -> Node.ping(har.node) == :pong end)
    assert :net_adm.ping(har.node) == :pong
  end

  test "a ping of a name that EPMD does not know is pang" do
    assert Node.ping(:"nobody@127.0.0.1") == :pang
  end

  test "EPMD lists it", %{har: har} do
    assert {:ok, names} = :net_adm.names(~c"127.0.0.1")
    assert List.keymember?(names, to_charlist(har.name), 0)
  end

  test "any message to it connects", %{har: har} do
    send({:nobody_of_this_name, har.node}, :hello)
    Wait.until("#{har.node} was connected", fn -> har.node in Node.list() end)
  end

  test "it sees who connected", %{har: har} do
    HarTest.connect!(har)
    assert Node.self() in :rpc.call(har.node, :erlang, :nodes, [])
  end

  test "monitor_nodes reports nodeup and nodedown with their details", %{har: har} do
    options = [:nodedown_reason, node_type: :all]
    :ok = :net_kernel.monitor_nodes(true, options)
    node = HarTest.connect!(har)
    assert_receive {:nodeup, ^node, up}
    assert Enum.into(up, %{}).node_type == :visible
    Node.disconnect(node)
    assert_receive {:nodedown, ^node, down}
    assert %{node_type: :visible, nodedown_reason: :disconnect} = Enum.into(down, %{})
    :ok = :net_kernel.monitor_nodes(false, options)
  end

  test "Node.disconnect/1 gives nodedown here and leaves the node running", %{har: har} do
    node = har.node
    HarTest.connect!(har)
    Node.monitor(node, true)
    assert Node.disconnect(node) == true
    assert_receive {:nodedown, ^node}
    assert OsProcess.exit_code(har.process) == nil
    HarTest.connect!(har)
  end

  test "20 connects and disconnects in a row", %{har: har} do
    node = har.node

    for round <- 1..20 do
      HarTest.connect!(har)
      assert Node.ping(node) == :pong, "round #{round}"
      Node.monitor(node, true)
      Node.disconnect(node)
      assert_receive {:nodedown, ^node}
    end
  end

  test "a wrong cookie is refused and the node serves on", %{har: har} do
    stranger = Beam.start_supervised(cookie: :not_the_cookie)
    assert Beam.call(stranger, Node, :connect, [har.node]) == false
    assert Beam.call(stranger, Node, :ping, [har.node]) == :pang
    assert Node.ping(har.node) == :pong
  end

  test "a cookie set for this one node is enough", %{har: har} do
    stranger = Beam.start_supervised(cookie: :not_the_cookie)
    Beam.call(stranger, Node, :set_cookie, [har.node, HarTest.cookie()])
    assert Beam.call(stranger, Node, :connect, [har.node]) == true
  end

  test "a hidden BEAM is connected, and in nobody's visible list", %{har: har} do
    hidden = Beam.start_supervised(args: ["-hidden"])
    assert Beam.call(hidden, Node, :connect, [har.node]) == true
    assert Beam.call(hidden, Node, :list, [:hidden]) == [har.node]
    assert Beam.call(hidden, Node, :list, []) == []
    assert Beam.call(hidden, :net_adm, :ping, [har.node]) == :pong
  end

  test "har --hidden is connected, and not in Node.list/0" do
    hidden = Har.start_supervised(args: ["--hidden"])
    assert Node.connect(hidden.node) == true
    assert hidden.node in Node.list(:hidden)
    refute hidden.node in Node.list()
    assert Node.ping(hidden.node) == :pong
    disconnect(hidden.node)
  end

  test "SIGTERM: nodedown at once, gone from EPMD, exit code 0" do
    leaving = Har.start_supervised()
    node = HarTest.connect!(leaving)
    Node.monitor(node, true)
    OsProcess.signal(leaving.process, "TERM")
    assert_receive {:nodedown, ^node}
    assert OsProcess.await_exit(leaving.process) == 0

    Wait.until("it was gone from EPMD", fn ->
      not List.keymember?(Epmd.names(leaving.epmd_port), leaving.name, 0)
    end)
  end

  test "Ctrl-C ends it as cleanly" do
    leaving = Har.start_supervised()
    node = HarTest.connect!(leaving)
    Node.monitor(node, true)
    OsProcess.signal(leaving.process, "INT")
    assert_receive {:nodedown, ^node}
    assert OsProcess.await_exit(leaving.process) == 0
  end

  test "kill -9: nodedown at once, and its name is free again" do
    first = Har.start_supervised()
    node = HarTest.connect!(first)
    Node.monitor(node, true)
    OsProcess.signal(first.process, "KILL")
    assert_receive {:nodedown, ^node}
    OsProcess.await_exit(first.process)

    second = Har.start_supervised(name: first.name)
    assert second.node == node
    HarTest.connect!(second)
    disconnect(node)
  end

  test "a node that was restarted is another incarnation: its old pids are dead" do
    first = Har.start_supervised()
    node = HarTest.connect!(first)
    old = :rpc.call(node, :erlang, :whereis, [:net_kernel])
    assert is_pid(old)
    OsProcess.signal(first.process, "KILL")
    OsProcess.await_exit(first.process)
    second = Har.start_supervised(name: first.name)
    HarTest.connect!(second)
    ref = Process.monitor(old)
    assert_receive {:DOWN, ^ref, :process, ^old, reason} when reason in [:noproc, :noconnection]
    disconnect(node)
  end
end
