defmodule HarTest.TaskSupervisorTest do
  @moduledoc "`Task.Supervisor` of Elixir, with the supervisor on a `har` node."
  use ExUnit.Case

  alias HarTest.{Har, OsProcess}

  setup_all do
    har = Har.start_supervised()
    HarTest.connect!(har)
    %{har: har.node, supervisor: {HAR.TaskSupervisor, har.node}}
  end

  test "async with module, function, arguments", %{har: har, supervisor: supervisor} do
    task = Task.Supervisor.async(supervisor, HAR, :version, [])
    assert node(task.pid) == har
    assert Task.await(task, 20_000) == :rpc.call(har, HAR, :version, [])
  end

  test "async with a captured function", %{har: har, supervisor: supervisor} do
    task = Task.Supervisor.async(supervisor, Function.capture(HAR, :version, 0))
    assert Task.await(task, 20_000) == :rpc.call(har, HAR, :version, [])
  end

  test "many tasks, each its own answer", %{supervisor: supervisor} do
    tasks =
      for n <- 1..100 do
        Task.Supervisor.async(supervisor, HAR, :parse, [:no_such_format, "#{n}"])
      end

    for answer <- Task.await_many(tasks, 30_000) do
      assert answer == {:error, {:unsupported_format, :no_such_format}}
    end
  end

  test "async_nolink of an undefined function tells the owner why", %{supervisor: supervisor} do
    task = Task.Supervisor.async_nolink(supervisor, :no_such_module, :f, [1])
    ref = task.ref
    assert_receive {:DOWN, ^ref, :process, _pid, {:undef, [{:no_such_module, :f, [1], []} | _]}}
  end

  test "async of an undefined function exits its owner", %{supervisor: supervisor} do
    Process.flag(:trap_exit, true)
    task = Task.Supervisor.async(supervisor, :no_such_module, :f, [1])
    pid = task.pid
    assert_receive {:EXIT, ^pid, {:undef, [{:no_such_module, :f, [1], []} | _]}}
  end

  test "Task.yield and shutdown", %{supervisor: supervisor} do
    task = Task.Supervisor.async_nolink(supervisor, HAR, :version, [])
    assert {:ok, version} = Task.yield(task, 20_000)
    assert is_binary(version)
    assert Task.shutdown(task) in [nil, {:exit, :noproc}]
  end

  test "async_stream of an undefined function gives the reasons", %{supervisor: supervisor} do
    Process.flag(:trap_exit, true)

    exits =
      supervisor
      |> Task.Supervisor.async_stream(["1", "2", "3"], HAR, :parse_of_nobody, [])
      |> Enum.to_list()

    for {exit, n} <- Enum.zip(exits, ["1", "2", "3"]) do
      assert {:exit, {:undef, [{HAR, :parse_of_nobody, [^n], _} | _]}} = exit
    end
  end

  test "async_stream_nolink gives answers in order", %{supervisor: supervisor} do
    answers =
      supervisor
      |> Task.Supervisor.async_stream_nolink(
        [:ansible, :no_such_format],
        HAR,
        :parse,
        ["[]"],
        timeout: 20_000
      )
      |> Enum.to_list()

    assert [{:ok, {:ok, graph}}, {:ok, {:error, {:unsupported_format, :no_such_format}}}] = answers
    assert graph.vertices == []
  end

  test "start_child", %{har: har, supervisor: supervisor} do
    assert {:ok, pid} = Task.Supervisor.start_child(supervisor, HAR, :version, [])
    assert node(pid) == har
  end

  test "the owner's death ends the task without harm", %{har: har, supervisor: supervisor} do
    parent = self()

    owner =
      spawn(fn ->
        Task.Supervisor.async(supervisor, HAR, :version, [])
        send(parent, :started)
        Process.sleep(:infinity)
      end)

    assert_receive :started
    Process.exit(owner, :kill)
    assert :erpc.call(har, :erlang, :node, []) == har
  end

  test "a node killed under a task is noconnection" do
    victim = Har.start_supervised()
    node = HarTest.connect!(victim)
    ref = Process.monitor({HAR.TaskSupervisor, node})
    assert :erpc.call(node, :erlang, :node, []) == node
    OsProcess.signal(victim.process, "KILL")
    assert_receive {:DOWN, ^ref, :process, {HAR.TaskSupervisor, ^node}, :noconnection}
  end
end
