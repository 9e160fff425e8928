defmodule HarTest.Soak.Ledger do
  @moduledoc """
  What became of each request of a soak: right, excused, or a fault.

  A request may fail only as requests to a lost node fail, and only while a node that takes part in
  it was really killed (or had come back a moment ago). A wrong answer, one that never came, and a
  failure without a killed node are faults.
  """
  use GenServer

  # After a node came back, others may still be about to learn that it was gone.
  @grace_ms 5_000

  def start_link, do: GenServer.start_link(__MODULE__, :ok, name: __MODULE__)

  @doc "The node is about to be killed."
  def down(node), do: GenServer.call(__MODULE__, {:down, node, now()}, :infinity)

  @doc "The node is back and takes connections."
  def up(node), do: GenServer.call(__MODULE__, {:up, node, now()}, :infinity)

  @doc "One more right outcome of this kind."
  def right(ledger, kind), do: GenServer.cast(ledger, {:right, kind})

  @doc "A request to `nodes`, begun at `started`, did not succeed; `why` says how."
  def failed(ledger, kind, nodes, started, why) do
    GenServer.cast(ledger, {:failed, kind, nodes, started, now(), why})
  end

  @doc "`%{right: %{kind => n}, excused: %{kind => n}, kills: n, faults: [text]}`"
  def report, do: GenServer.call(__MODULE__, :report, :infinity)

  @doc "Milliseconds of a clock that all nodes of this machine share."
  def now, do: System.system_time(:millisecond)

  @impl true
  def init(:ok), do: {:ok, %{outages: %{}, right: %{}, excused: %{}, kills: 0, faults: []}}

  @impl true
  def handle_call({:down, node, at}, _from, state) do
    outages = Map.update(state.outages, node, [{at, :open}], &[{at, :open} | &1])
    {:reply, :ok, %{state | outages: outages, kills: state.kills + 1}}
  end

  def handle_call({:up, node, at}, _from, state) do
    closed = Map.update!(state.outages, node, fn [{from, :open} | rest] -> [{from, at} | rest] end)
    {:reply, :ok, %{state | outages: closed}}
  end

  def handle_call(:report, _from, state) do
    report = Map.take(state, [:right, :excused, :kills])
    {:reply, Map.put(report, :faults, Enum.reverse(state.faults)), state}
  end

  @impl true
  def handle_cast({:right, kind}, state), do: {:noreply, count(state, :right, kind)}

  def handle_cast({:failed, kind, nodes, started, ended, why}, state) do
    if connection_lost?(why) and Enum.any?(nodes, &out?(state, &1, started, ended)) do
      {:noreply, count(state, :excused, kind)}
    else
      fault = "#{kind} #{inspect(nodes)} after #{ended - started} ms: #{inspect(why, limit: 20)}"
      IO.puts("FAULT #{fault}")
      {:noreply, %{state | faults: [fault | state.faults]}}
    end
  end

  defp count(state, what, kind) do
    Map.update!(state, what, &Map.update(&1, kind, 1, fn n -> n + 1 end))
  end

  defp out?(state, node, started, ended) do
    state.outages
    |> Map.get(node, [])
    |> Enum.any?(fn {from, to} ->
      from <= ended and (to == :open or started <= to + @grace_ms)
    end)
  end

  # `noproc`: a BEAM takes connections a moment before its servers have their names.
  defp connection_lost?({:lost, why}), do: connection_lost?(why)
  defp connection_lost?({:badrpc, why}), do: connection_lost?(why)
  defp connection_lost?({:exit, why}), do: connection_lost?(why)
  defp connection_lost?({:error, why}), do: connection_lost?(why)
  defp connection_lost?({:EXIT, why}), do: connection_lost?(why)
  defp connection_lost?({:erpc, why}), do: connection_lost?(why)
  defp connection_lost?({:nodedown, _node}), do: true

  # What `GenServer.call`, `Task.yield` and their like exit with: why, and their own call.
  defp connection_lost?({why, {module, function, args}})
       when is_atom(module) and is_atom(function) and is_list(args),
       do: connection_lost?(why)

  defp connection_lost?(why), do: why in [:noconnection, :nodedown, :noproc]
end
