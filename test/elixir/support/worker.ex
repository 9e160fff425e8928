defmodule HAR.ControlPlane.Router do
  @moduledoc """
  What a BEAM needs to take part in `HAR.route_all`, besides a `HAR.TaskSupervisor`: this module and
  its `route_batch`. Here its answers name the node, and a test may hold it up.
  """
  alias HarTest.Worker

  def route_batch(operations, options \\ []) do
    Worker.take(operations, options)
    for operation <- operations, do: {:ok, %{operation: operation, backend: node()}}
  end
end

defmodule HarTest.Worker do
  @moduledoc "A BEAM that works for `HAR.route_all`, and whom it tells of each chunk."

  alias HarTest.{Beam, Har}

  @key {__MODULE__, :watcher}

  @doc """
  Starts a BEAM and joins it to a `har` node. `max_children:` of its supervisor.

  With `hold: pid` each chunk is told to `pid` as `{:taken, task, options}` and waits for `:go`.
  """
  def start_supervised(%Har{node: har}, opts \\ []) do
    beam = Beam.start_supervised()
    :ok = Beam.call(beam, :persistent_term, :put, [@key, opts[:hold]])
    supervisor = [name: HAR.TaskSupervisor, max_children: Keyword.get(opts, :max_children, :infinity)]
    {:ok, _pid} = Beam.call(beam, __MODULE__, :start_unlinked, [supervisor])
    true = Beam.call(beam, Node, :connect, [har])
    beam
  end

  @doc false
  def start_unlinked(options) do
    with {:ok, pid} <- Task.Supervisor.start_link(options) do
      Process.unlink(pid)
      {:ok, pid}
    end
  end

  @doc "In the task of a chunk: tells of it, and waits to be let go, when somebody wants that."
  def take(_operations, options) do
    if watcher = :persistent_term.get(@key, nil) do
      send(watcher, {:taken, self(), options})

      receive do
        :go -> :ok
      end
    end
  end
end
