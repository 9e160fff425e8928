defmodule HarTest.Remote do
  @moduledoc "Functions that BEAM peers run: they have this module on their code path."

  @doc "Starts a process that hands every message to `collector`, under `name`."
  def start_relay(name, collector) do
    parent = self()

    spawn(fn ->
      Process.register(self(), name)
      send(parent, {:relay, self()})
      relay(collector)
    end)

    receive do
      {:relay, pid} -> pid
    end
  end

  defp relay(collector) do
    receive do
      message -> send(collector, message)
    end

    relay(collector)
  end

  @doc "Starts a process that only waits; it outlives the caller."
  def start_idle do
    spawn(fn -> Process.sleep(:infinity) end)
  end

  @doc """
  Starts what a `har` node always has and a BEAM only when somebody started it, so that the two
  can be asked the same.
  """
  def start_services do
    parent = self()

    spawn(fn ->
      {:ok, _tasks} = Task.Supervisor.start_link(name: HAR.TaskSupervisor)
      {:ok, _pg} = :pg.start_link()
      send(parent, :started)
      Process.sleep(:infinity)
    end)

    receive do
      :started -> :ok
    end
  end

  def start_pg do
    case :pg.start(:pg) do
      {:ok, pid} -> pid
      {:error, {:already_started, pid}} -> pid
    end
  end

  @doc "Joins a process made for it to a `:pg` group, and returns that process."
  def join_group(group) do
    pid = start_idle()
    :ok = :pg.join(group, pid)
    pid
  end

  @doc "Registers a process made for it with `:global`."
  def register_global(name) do
    pid = start_idle()
    {:global.register_name(name, pid), pid}
  end

  @doc "Takes a `:global` lock on `nodes` in a process of its own, which keeps it; returns the pid."
  def hold_lock(resource, nodes) do
    parent = self()

    spawn(fn ->
      true = :global.set_lock({resource, self()}, nodes)
      send(parent, {:held, self()})
      Process.sleep(:infinity)
    end)

    receive do
      {:held, pid} -> pid
    end
  end
end
