defmodule HarTest.Soak do
  @moduledoc """
  Mixed traffic among three BEAMs and two har nodes while peers are killed every few seconds.

  This virtual machine is one of the BEAMs and is never killed; nor is the har node `survivor`,
  whose memory and counts are watched.
  """

  alias HarTest.{Beam, Har, OsProcess, Remote, Wait}
  alias HarTest.Soak.{Ledger, Sample, Traffic}

  @gone_ms 15_000
  @settle_ms 60_000

  @doc """
  Runs for `seconds:`; more options: `kill_every_ms:`, `sample_every_ms:`, `workers:` (here; each
  other BEAM has half as many), `pause_ms:` of a worker between two requests.

  Returns the ledger's report with `samples:`, and a fault more when the node holds more at rest
  than it did before.
  """
  def run(opts) do
    {:ok, ledger} = Ledger.start_link()
    Remote.start_pg()
    survivor = start_har("soak_survivor")

    try do
      state = %{opts: opts, survivor: survivor, victims: [], samples: [], started: Ledger.now()}
      state |> start_victims() |> rest() |> traffic() |> finish()
    after
      Har.stop(survivor)
      GenServer.stop(ledger)
    end
  end

  defp start_har(name) do
    # Relays call on from there, which peers may not unless a rule names it.
    env = [{"HAR_CALLS_ALLOW", "*,rpc:call,pg:join,pg:leave,global:send"}]
    har = Har.start(name: name, args: ["--diagnostics", "--log-level", "warn"], env: env)
    HarTest.connect!(har)
    har
  end

  defp start_beam(name) do
    beam = Beam.start(name: name)
    Beam.call(beam, Remote, :start_pg, [])
    true = Node.connect(beam.node)
    beam
  end

  defp start_victims(state) do
    victims = [
      {:beam, start_beam("soak_beam1")},
      {:har, start_har("soak_victim")},
      {:beam, start_beam("soak_beam2")}
    ]

    %{state | victims: victims}
  end

  # What the survivor holds while all nodes are connected and nobody asks anything.
  defp rest(state) do
    nodes = for {_kind, peer} <- state.victims, do: peer.node
    Wait.until("the survivor saw all", fn -> nodes -- peers_of(state.survivor.node) == [] end)
    Map.put(state, :at_rest, Sample.counts(sample(state)))
  end

  defp peers_of(node), do: :erpc.call(node, :erlang, :nodes, [], 20_000)

  defp sample(state) do
    Sample.take(state.survivor.node, OsProcess.os_pid(state.survivor.process))
  end

  defp traffic(state) do
    workers = Traffic.start(state.opts[:workers], plan(state))
    for {:beam, beam} <- state.victims, do: load(beam, state)
    state = churn(state, Ledger.now() + state.opts[:kill_every_ms], Ledger.now())
    Map.put(state, :workers, workers)
  end

  defp plan(state) do
    victims = Enum.group_by(state.victims, &elem(&1, 0), &elem(&1, 1).node)

    %{
      ledger: {Ledger, node()},
      hars: [state.survivor.node | victims.har],
      beams: [node() | victims.beam],
      pause_ms: state.opts[:pause_ms]
    }
  end

  defp load(beam, state) do
    Beam.call(beam, Traffic, :start, [div(state.opts[:workers], 2), plan(state)])
  end

  # Kills and samples, each at its times, until the run is over.
  defp churn(state, next_kill, next_sample) do
    now = Ledger.now()

    cond do
      now - state.started > state.opts[:seconds] * 1000 ->
        state

      now >= next_sample ->
        state = note(state)
        churn(state, next_kill, now + state.opts[:sample_every_ms])

      now >= next_kill ->
        churn(replace(state), Ledger.now() + state.opts[:kill_every_ms], next_sample)

      true ->
        receive do
        after
          50 -> churn(state, next_kill, next_sample)
        end
    end
  end

  defp note(state) do
    sample = sample(state)
    second = div(Ledger.now() - state.started, 1000)
    IO.puts("#{second} s: #{Sample.text(sample)}")
    %{state | samples: [{second, sample} | state.samples]}
  end

  defp replace(%{victims: [{kind, peer} | rest]} = state) do
    monitor = Process.monitor({:rex, peer.node})
    Ledger.down(peer.node)
    killed = Ledger.now()
    kill(kind, peer)
    told_once(monitor, peer.node, killed)
    name = peer.node |> to_string() |> String.split("@") |> hd()
    again = if kind == :har, do: start_har(name), else: start_beam(name)
    Ledger.up(again.node)
    if kind == :beam, do: load(again, state)
    %{state | victims: rest ++ [{kind, again}]}
  end

  defp kill(:beam, beam), do: Beam.kill(beam)
  defp kill(:har, har), do: OsProcess.stop(har.process)

  defp told_once(monitor, node, killed) do
    ledger = {Ledger, node()}

    receive do
      {:DOWN, ^monitor, :process, _name, :noconnection} ->
        Ledger.right(ledger, :down)

      {:DOWN, ^monitor, _, _, other} ->
        Ledger.failed(ledger, :down, [node], killed, {:wrong, other})
    after
      @gone_ms -> Ledger.failed(ledger, :down, [node], killed, :timeout)
    end
  end

  defp finish(state) do
    for worker <- state.workers, Traffic.stop(worker, @settle_ms * 2) != :normal do
      Ledger.failed({Ledger, node()}, :stop, [node()], state.started, :stuck)
    end

    # The other BEAMs' workers end with them, and new ones stand in their places.
    for {:beam, beam} <- state.victims, do: Beam.kill(beam)
    beams = for {:beam, beam} <- state.victims, do: start_beam(name_of(beam))
    left = left_over(state)
    state = note(state)
    for beam <- beams, do: Beam.stop(beam)
    for {:har, har} <- state.victims, do: Har.stop(har)
    report = Map.put(Ledger.report(), :samples, Enum.reverse(state.samples))
    Map.update!(report, :faults, &(&1 ++ left))
  end

  defp name_of(peer), do: peer.node |> to_string() |> String.split("@") |> hd()

  defp left_over(state) do
    deadline = Ledger.now() + @settle_ms
    await_rest(state, deadline)
  end

  defp await_rest(state, deadline) do
    counts = Sample.counts(sample(state))

    cond do
      counts == state.at_rest ->
        []

      Ledger.now() > deadline ->
        ["at rest the survivor holds #{inspect(counts)}, before it was #{inspect(state.at_rest)}"]

      true ->
        receive do
        after
          200 -> await_rest(state, deadline)
        end
    end
  end
end
