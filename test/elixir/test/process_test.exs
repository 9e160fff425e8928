defmodule HarTest.ProcessTest do
  @moduledoc "Messages, links, monitors and spawns between a BEAM's processes and `har`'s."
  use ExUnit.Case

  alias HarTest.{Beam, Har, OsProcess, Shape, Wait}

  setup_all do
    har = Har.start_supervised()
    beam = Beam.start_supervised()
    HarTest.connect!(har)
    true = Node.connect(beam.node)
    %{har: har.node, beam: beam.node}
  end

  defp pid_of(node, name) do
    pid = :rpc.call(node, :erlang, :whereis, [name])
    assert is_pid(pid) and node(pid) == node
    pid
  end

  defp assert_well(node), do: assert(:erpc.call(node, :erlang, :node, []) == node)

  test "GenServer.call of net_kernel, the whole of a ping", %{har: har} do
    assert GenServer.call({:net_kernel, har}, {:is_auth, Node.self()}) == :yes
  end

  test ":gen_server.call and send_request of net_kernel", %{har: har} do
    assert :gen_server.call({:net_kernel, har}, {:is_auth, Node.self()}) == :yes
    request = :gen_server.send_request({:net_kernel, har}, {:is_auth, Node.self()})
    assert :gen_server.receive_response(request, 20_000) == {:reply, :yes}
  end

  test "a GenServer call of a name that nobody has exits with noproc", context do
    ask = fn node -> GenServer.call({:nobody_of_this_name, node}, :hello) end

    assert Shape.outcome(context.har, fn -> ask.(context.har) end) ==
             Shape.outcome(context.beam, fn -> ask.(context.beam) end)
  end

  test "GenServer.multi_call and abcast", %{har: har} do
    self = Node.self()
    nodes = [self, har]
    assert {replies, []} = GenServer.multi_call(nodes, :net_kernel, {:is_auth, self}, 20_000)
    assert Enum.sort(replies) == Enum.sort(for node <- nodes, do: {node, :yes})
    assert {[], [^har]} = GenServer.multi_call([har], :nobody_of_this_name, :hello, 20_000)
    assert GenServer.abcast([har], :nobody_of_this_name, :hello) == :abcast
  end

  test "GenServer.cast of a name that nobody has is quiet", %{har: har} do
    assert GenServer.cast({:nobody_of_this_name, har}, :hello) == :ok
    assert_well(har)
  end

  test "a message to an unregistered name is dropped", %{har: har} do
    send({:nobody_of_this_name, har}, {self(), :hello})
    assert :erlang.send({:nobody_of_this_name, har}, :hello, [:noconnect]) == :ok
    assert_well(har)
  end

  test "a message by pid", %{har: har} do
    echo = pid_of(har, :echo)
    send(echo, {self(), :by_pid})
    assert_receive {^echo, :by_pid}
  end

  test "Process.send with noconnect and nosuspend", %{har: har} do
    assert Process.send({:echo, har}, {self(), 1}, [:noconnect]) == :ok
    assert_receive {_echo, 1}
    assert Process.send({:echo, har}, {self(), 2}, [:nosuspend]) == :ok
    assert_receive {_echo, 2}
  end

  test "send_after to a remote pid", %{har: har} do
    echo = pid_of(har, :echo)
    # Only local destinations may be given to a timer, so a local process passes it on.
    relay = HarTest.Remote.start_relay(:process_test_relay, echo)
    Process.send_after(relay, {self(), :later}, 1)
    assert_receive {^echo, :later}
    Process.exit(relay, :kill)
  end

  test "monitor by pid: DOWN when the node is killed" do
    victim = Har.start_supervised()
    node = HarTest.connect!(victim)
    pid = pid_of(node, :net_kernel)
    ref = Process.monitor(pid)
    OsProcess.signal(victim.process, "KILL")
    assert_receive {:DOWN, ^ref, :process, ^pid, :noconnection}
  end

  test "monitor by name: DOWN when the node is killed" do
    victim = Har.start_supervised()
    node = HarTest.connect!(victim)
    ref = Process.monitor({:net_kernel, node})
    assert_well(node)
    OsProcess.signal(victim.process, "KILL")
    assert_receive {:DOWN, ^ref, :process, {:net_kernel, ^node}, :noconnection}
  end

  test "monitor of a name that nobody has is noproc", %{har: har} do
    ref = Process.monitor({:nobody_of_this_name, har})
    assert_receive {:DOWN, ^ref, :process, {:nobody_of_this_name, ^har}, :noproc}
  end

  test "monitor of a dead pid is noproc", %{har: har} do
    {pid, ref} = Node.spawn_monitor(har, HAR, :version, [])
    assert_receive {:DOWN, ^ref, :process, ^pid, :normal}
    ref = Process.monitor(pid)
    assert_receive {:DOWN, ^ref, :process, ^pid, :noproc}
  end

  test "demonitor takes the monitor away", %{har: har} do
    ref = Process.monitor({:net_kernel, har})
    assert Process.demonitor(ref, [:flush, :info]) == true
    assert_well(har)
    refute_received {:DOWN, ^ref, _, _, _}
  end

  test "many monitors of one process, each answered" do
    victim = Har.start_supervised()
    node = HarTest.connect!(victim)
    pid = pid_of(node, :net_kernel)
    refs = for _ <- 1..500, do: Process.monitor(pid)
    OsProcess.signal(victim.process, "TERM")
    for ref <- refs, do: assert_receive({:DOWN, ^ref, :process, ^pid, _reason})
  end

  test "link by pid: EXIT when the node is killed" do
    Process.flag(:trap_exit, true)
    victim = Har.start_supervised()
    node = HarTest.connect!(victim)
    pid = pid_of(node, :echo)
    assert Process.link(pid) == true
    assert_well(node)
    OsProcess.signal(victim.process, "KILL")
    assert_receive {:EXIT, ^pid, :noconnection}
  end

  test "link to a dead pid is EXIT noproc", %{har: har} do
    Process.flag(:trap_exit, true)
    {pid, ref} = Node.spawn_monitor(har, HAR, :version, [])
    assert_receive {:DOWN, ^ref, :process, ^pid, :normal}
    Process.link(pid)
    assert_receive {:EXIT, ^pid, :noproc}
  end

  test "unlink is acknowledged and a new link works", %{har: har} do
    Process.flag(:trap_exit, true)
    echo = pid_of(har, :echo)

    for _ <- 1..50 do
      assert Process.link(echo) == true
      assert Process.unlink(echo) == true
    end

    send(echo, {self(), :still_there})
    assert_receive {^echo, :still_there}
    refute_received {:EXIT, _, _}
  end

  test "Node.spawn returns a pid of that node", %{har: har} do
    pid = Node.spawn(har, HAR, :version, [])
    assert node(pid) == har
  end

  test "Node.spawn/2 with a fun that is not there does no harm", %{har: har} do
    pid = Node.spawn(har, fn -> :ok end)
    assert node(pid) == har
    ref = Process.monitor(pid)
    assert_receive {:DOWN, ^ref, :process, ^pid, _reason}
    assert_well(har)
  end

  test "Node.spawn_link exits normal to its parent", %{har: har} do
    Process.flag(:trap_exit, true)
    pid = Node.spawn_link(har, HAR, :version, [])
    assert_receive {:EXIT, ^pid, :normal}
  end

  test "Node.spawn_link of an undefined function exits undef, as on a BEAM", context do
    Process.flag(:trap_exit, true)

    [of_har, of_beam] =
      for node <- [context.har, context.beam] do
        pid = Node.spawn_link(node, :no_such_module, :f, [1])
        assert_receive {:EXIT, ^pid, reason}
        Shape.of(reason, node)
      end

    assert of_har == of_beam
  end

  test "Node.spawn_monitor: DOWN normal", %{har: har} do
    {pid, ref} = Node.spawn_monitor(har, HAR, :version, [])
    assert node(pid) == har
    assert_receive {:DOWN, ^ref, :process, ^pid, :normal}
  end

  test "Node.spawn_monitor of an undefined function is undef, as on a BEAM", context do
    [of_har, of_beam] =
      for node <- [context.har, context.beam] do
        {pid, ref} = Node.spawn_monitor(node, :no_such_module, :f, [1])
        assert_receive {:DOWN, ^ref, :process, ^pid, reason}
        Shape.of(reason, node)
      end

    assert of_har == of_beam
  end

  test "spawn_request answers with spawn_reply", %{har: har} do
    ref = :erlang.spawn_request(har, HAR, :version, [], [:monitor])
    assert_receive {:spawn_reply, ^ref, :ok, pid}
    assert node(pid) == har
    assert_receive {:DOWN, ^ref, :process, ^pid, :normal}
  end

  test "spawn_request with an option that nobody knows is badopt, as on a BEAM", context do
    for node <- [context.har, context.beam] do
      ref = :erlang.spawn_request(node, HAR, :version, [], [:monitor, :no_such_option])
      assert_receive {:spawn_reply, ^ref, :error, :badopt}
    end
  end

  test "spawn_request to a node that is not there is noconnection" do
    ref = :erlang.spawn_request(:"nobody@127.0.0.1", HAR, :version, [], [])
    assert_receive {:spawn_reply, ^ref, :error, :noconnection}
  end

  test "500 spawns at once, each with its DOWN", %{har: har} do
    spawned = for _ <- 1..500, do: Node.spawn_monitor(har, HAR, :version, [])
    for {pid, ref} <- spawned, do: assert_receive({:DOWN, ^ref, :process, ^pid, :normal})
  end

  test "Process.exit(pid, :kill) of a spawned process", %{har: har} do
    {pid, ref} = Node.spawn_monitor(har, :timer, :sleep, [:infinity])

    receive do
      # A node without `timer:sleep/1` has ended it already; with it, `kill` must.
      {:DOWN, ^ref, :process, ^pid, {:undef, _stack}} -> :ok
    after
      0 ->
        Process.exit(pid, :kill)
        assert_receive {:DOWN, ^ref, :process, ^pid, reason}
        assert reason in [:killed, :noproc] or match?({:undef, _stack}, reason)
    end
  end

  test "an alias given to har is answered once", %{har: har} do
    echo = pid_of(har, :echo)
    ref = :erlang.monitor(:process, {:net_kernel, har}, alias: :reply_demonitor)
    send({:net_kernel, har}, {:"$gen_call", {self(), [:alias | ref]}, {:is_auth, Node.self()}})
    assert_receive {[:alias | ^ref], :yes}
    send(echo, {self(), :next})
    assert_receive {^echo, :next}
  end

  test "Node.monitor twice gives nodedown twice" do
    victim = Har.start_supervised()
    node = HarTest.connect!(victim)
    Node.monitor(node, true)
    Node.monitor(node, true)
    OsProcess.signal(victim.process, "KILL")
    assert_receive {:nodedown, ^node}
    assert_receive {:nodedown, ^node}
  end

  test "what runs there prints at the group leader here", %{har: har} do
    {:ok, leader} = StringIO.open("")
    Process.group_leader(self(), leader)
    Node.spawn(har, :io, :format, [~c"hello from ~w~n", [:har]])
    Wait.until("it was printed", fn -> StringIO.contents(leader) == {"", "hello from har\n"} end)
  end

  test "a process that dies here is seen there: no monitor is left behind", %{har: har} do
    # `echo` is asked by processes that die at once; it goes on answering.
    for n <- 1..50 do
      spawn(fn -> send({:echo, har}, {self(), n}) end)
    end

    send({:echo, har}, {self(), :last})
    assert_receive {_echo, :last}
    Wait.until("it was well", fn -> Node.ping(har) == :pong end)
  end
end
