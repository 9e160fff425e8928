defmodule HarTest.RouteAllTest do
  @moduledoc "`HAR.route_all` on a `har` node, with a BEAM among those that do the work."
  use ExUnit.Case

  alias HarTest.{Beam, Har, Worker}

  @wait 20_000

  setup do
    har = Har.start_supervised()
    HarTest.connect!(har)
    %{har: har}
  end

  defp operations(count) do
    for n <- 1..count do
      %{
        __struct__: HAR.Semantic.Operation,
        id: "#{n}",
        type: :service_start,
        params: %{service: "x"},
        target: %{},
        metadata: %{}
      }
    end
  end

  # The job in a process of its own, of which `{:job, answer}` comes.
  defp start_job(har, operations, options) do
    parent = self()

    spawn(fn ->
      send(parent, {:job, :erpc.call(har.node, HAR, :route_all, [operations, options], @wait)})
    end)
  end

  defp assert_all_answered(operations, results) do
    assert Enum.map(results, fn {:ok, decision} -> decision.operation end) == operations
  end

  defp done_by(chunks), do: chunks |> Enum.map(& &1.node) |> Enum.uniq() |> Enum.sort()

  test "a BEAM does its part, under the policies of the job", %{har: har} do
    worker = Worker.start_supervised(har, hold: self())
    operations = operations(200)
    start_job(har, operations, chunk: 10, policies: ["eu"], report: true)
    assert_receive {:taken, task, options}, @wait
    assert options == [policies: ["eu"]]
    send(task, :go)
    let_go_until_done()
    assert_received {:finished, {:ok, results, chunks}}
    assert_all_answered(operations, results)
    assert done_by(chunks) == Enum.sort([har.node, worker.node])
    by_beam = Enum.filter(results, &match?({:ok, %{backend: backend}} when is_atom(backend), &1))
    assert length(by_beam) == 10 * Enum.count(chunks, &(&1.node == worker.node))
  end

  defp let_go_until_done do
    receive do
      {:taken, task, _options} ->
        send(task, :go)
        let_go_until_done()

      {:job, answer} ->
        send(self(), {:finished, answer})
    after
      @wait -> flunk("the job did not end")
    end
  end

  test "what a BEAM was killed in the middle of is done by others", %{har: har} do
    worker = Worker.start_supervised(har, hold: self())
    operations = operations(200)
    start_job(har, operations, chunk: 10, report: true)
    assert_receive {:taken, _task, _options}, @wait
    Beam.kill(worker)
    assert_receive {:job, {:ok, results, chunks}}, @wait
    assert_all_answered(operations, results)
    assert done_by(chunks) == [har.node]
  end

  test "a BEAM whose supervisor is full gets no more than it takes", %{har: har} do
    worker = Worker.start_supervised(har, hold: self(), max_children: 2)
    operations = operations(200)
    start_job(har, operations, chunk: 10, in_flight: 8, report: true)
    assert_receive {:taken, first, _options}, @wait
    assert_receive {:taken, second, _options}, @wait
    # It is asked for more and refuses; the rest of the job goes on without it.
    full = fn -> Beam.call(worker, Task.Supervisor, :children, [HAR.TaskSupervisor]) end
    assert Enum.sort(full.()) == Enum.sort([first, second])
    for task <- [first, second], do: send(task, :go)
    let_go_until_done()
    assert_received {:finished, {:ok, results, chunks}}
    assert_all_answered(operations, results)
    assert Enum.all?(chunks, &(&1.result == :ok))
  end

  test "a job that nobody waits for any more is stopped everywhere", %{har: har} do
    worker = Worker.start_supervised(har, hold: self())

    for give_up <- [&Process.exit(&1, :kill), &send(&1, :stop)] do
      job = start_job_that_can_stop(har)
      assert_receive {:taken, task, _options}, @wait
      monitor = Process.monitor(task)
      give_up.(job)
      assert_receive {:DOWN, ^monitor, :process, ^task, :shutdown}, @wait
      HarTest.patiently("the chunks had ended", fn ->
        Beam.call(worker, Task.Supervisor, :children, [HAR.TaskSupervisor]) == []
      end)
      drop_taken()
    end
  end

  # By a task of `har`, as `Task.shutdown/1` stops it, and by a call whose caller is killed.
  defp start_job_that_can_stop(har) do
    spawn(fn ->
      arguments = [operations(100), [chunk: 10, chunk_timeout: 60_000, timeout: 60_000]]
      task = Task.Supervisor.async_nolink({HAR.TaskSupervisor, har.node}, HAR, :route_all, arguments)

      receive do
        :stop -> Task.shutdown(task)
      end
    end)
  end

  test "a call whose caller gives up is stopped everywhere", %{har: har} do
    Worker.start_supervised(har, hold: self())
    options = [chunk: 10, chunk_timeout: 60_000, timeout: 60_000]
    job = start_job(har, operations(100), options)
    assert_receive {:taken, task, _options}, @wait
    monitor = Process.monitor(task)
    Process.exit(job, :kill)
    assert_receive {:DOWN, ^monitor, :process, ^task, :shutdown}, @wait
    drop_taken()
    # A call that takes too long for its caller.
    catch_error(:erpc.call(har.node, HAR, :route_all, [operations(100), options], 1_000))
    assert_receive {:taken, task, _options}, @wait
    monitor = Process.monitor(task)
    assert_receive {:DOWN, ^monitor, :process, ^task, reason}, @wait
    assert reason in [:shutdown, :noproc]
  end

  defp drop_taken do
    receive do
      {:taken, _task, _options} -> drop_taken()
    after
      0 -> :ok
    end
  end
end
