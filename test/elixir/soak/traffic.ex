defmodule HarTest.Soak.Traffic do
  @moduledoc """
  Workers of a soak: each does one kind of request after the other to a random node, checks the
  answer, and tells the ledger. BEAM peers run them, too.
  """

  alias HarTest.Soak.Ledger

  @answer_ms 20_000
  @visible_ms 20_000
  @ordered 40

  @kinds [
    :rpc,
    :erpc,
    :gen_server,
    :task,
    :relay,
    :ordered,
    :spawn_monitor,
    :spawn_link,
    :monitor_name,
    :pg,
    :global
  ]

  @doc """
  Starts `workers` on this node. `plan`: `%{ledger: {name, node}, hars: [node], beams: [node],
  pause_ms: n}`. Returns their pids.
  """
  def start(workers, plan) do
    for _ <- 1..workers do
      spawn(fn ->
        Process.flag(:trap_exit, true)
        loop(plan)
      end)
    end
  end

  @doc "Ends a worker after what it is doing, and waits for that."
  def stop(worker, deadline_ms) do
    monitor = Process.monitor(worker)
    send(worker, :stop)

    receive do
      {:DOWN, ^monitor, :process, _pid, reason} -> reason
    after
      deadline_ms -> :stuck
    end
  end

  defp loop(plan) do
    receive do
      :stop -> :ok
    after
      :rand.uniform(2 * plan.pause_ms) ->
        attempt(Enum.random(@kinds), plan)
        loop(plan)
    end
  end

  defp attempt(kind, plan) do
    har = Enum.random(plan.hars)
    other = Enum.random((plan.hars ++ plan.beams) -- [har])
    started = Ledger.now()

    case outcome(kind, har, other) do
      :right -> Ledger.right(plan.ledger, kind)
      {:failed, why} -> Ledger.failed(plan.ledger, kind, [node(), har, other], started, why)
    end
  end

  defp outcome(kind, har, other) do
    case request(kind, har, other) do
      :right -> nothing_left()
      failed -> failed
    end
  catch
    class, reason -> {:failed, {class, reason}}
  after
    forget_all()
  end

  # A second answer, or one that nobody asked for, is as wrong as a false one.
  defp nothing_left do
    receive do
      message when message != :stop -> {:failed, {:stray, message}}
    after
      0 -> :right
    end
  end

  defp forget_all do
    receive do
      message when message != :stop -> forget_all()
    after
      0 -> :ok
    end
  end

  defp expect(value, value), do: :right
  defp expect({:badrpc, why}, _wanted), do: {:failed, {:badrpc, why}}
  defp expect(value, wanted), do: {:failed, {:wrong, value, wanted}}

  defp number, do: :rand.uniform(1_000_000_000_000)

  defp request(:rpc, har, _other) do
    {a, b} = {number(), number()}
    expect(:rpc.call(har, :erlang, :+, [a, b], @answer_ms), a + b)
  end

  defp request(:erpc, har, _other) do
    list = for _ <- 1..20, do: number()
    expect(:erpc.call(har, :lists, :reverse, [list], @answer_ms), Enum.reverse(list))
  end

  # The way a `GenServer.call` takes, with an answer that is another one each time.
  defp request(:gen_server, har, _other) do
    {a, b} = {number(), number()}
    call = {:call, :erlang, :*, [a, b], Process.group_leader()}
    expect(GenServer.call({:rex, har}, call, @answer_ms), a * b)
  end

  defp request(:task, har, _other) do
    format = :"no_such_format_#{:rand.uniform(100)}"
    args = [format, "x"]
    task = Task.Supervisor.async_nolink({HAR.TaskSupervisor, har}, HAR, :parse, args)

    case Task.yield(task, @answer_ms) || Task.shutdown(task, :brutal_kill) do
      {:ok, answer} -> expect(answer, {:error, {:unsupported_format, format}})
      {:exit, reason} -> {:failed, {:exit, reason}}
      nil -> {:failed, :timeout}
    end
  end

  # The har node is the client here, of a BEAM or of another har.
  defp request(:relay, har, other) do
    {a, b} = {number(), number()}
    inner = [other, :erlang, :-, [a, b], @answer_ms]
    expect(:rpc.call(har, :rpc, :call, inner, 2 * @answer_ms), a - b)
  end

  defp request(:ordered, har, _other) do
    {monitor, tag} = {Process.monitor({:echo, har}), make_ref()}

    for n <- 1..@ordered do
      send({:echo, har}, {self(), {tag, n, :binary.copy(<<n>>, rem(n * 97, 900))}})
    end

    result = in_order(tag, monitor, 1)
    Process.demonitor(monitor, [:flush])
    result
  end

  defp request(:spawn_monitor, har, _other) do
    {pid, monitor} = :erlang.spawn_opt(har, :erlang, :node, [], [:monitor])

    receive do
      {:DOWN, ^monitor, :process, ^pid, :normal} -> :right
      {:DOWN, ^monitor, :process, ^pid, reason} -> {:failed, {:exit, reason}}
    after
      @answer_ms -> {:failed, :timeout}
    end
  end

  defp request(:spawn_link, har, _other) do
    pid = :erlang.spawn_link(har, :erlang, :node, [])

    receive do
      {:EXIT, ^pid, :normal} -> :right
      {:EXIT, ^pid, reason} -> {:failed, {:exit, reason}}
    after
      @answer_ms -> {:failed, :timeout}
    end
  end

  # With a round trip between, so that the monitor was really there.
  defp request(:monitor_name, har, _other) do
    monitor = Process.monitor({:echo, har})
    answer = :erpc.call(har, :erlang, :node, [], @answer_ms)

    if Process.demonitor(monitor, [:flush, :info]),
      do: expect(answer, har),
      else: {:failed, {:lost, :noconnection}}
  end

  defp request(:pg, har, _other) do
    group = {:soak, make_ref()}
    members = fn -> :rpc.call(har, :pg, :get_members, [group], @answer_ms) end
    :ok = :pg.join(group, self())
    joined = visible(members, [self()])
    :ok = :pg.leave(group, self())
    with :right <- joined, do: visible(members, [])
  end

  defp request(:global, har, _other) do
    name = {:soak, make_ref()}
    owner = fn -> :rpc.call(har, :global, :whereis_name, [name], @answer_ms) end

    case :global.register_name(name, self()) do
      :yes ->
        registered = visible(owner, self())
        :global.unregister_name(name)
        with :right <- registered, do: visible(owner, :undefined)

      other ->
        {:failed, {:wrong, other, :yes}}
    end
  end

  defp in_order(_tag, _monitor, n) when n > @ordered, do: :right

  defp in_order(tag, monitor, n) do
    binary = :binary.copy(<<n>>, rem(n * 97, 900))

    receive do
      {_echo, {^tag, ^n, ^binary}} -> in_order(tag, monitor, n + 1)
      {_echo, {^tag, m, _other}} -> {:failed, {:wrong, m, n}}
      {:DOWN, ^monitor, :process, _name, reason} -> {:failed, {:lost, reason}}
    after
      @answer_ms -> {:failed, :timeout}
    end
  end

  # What is told to all nodes arrives a moment after the teller went on.
  defp visible(ask, wanted, deadline \\ Ledger.now() + @visible_ms) do
    case ask.() do
      ^wanted ->
        :right

      {:badrpc, why} ->
        {:failed, {:badrpc, why}}

      other ->
        if Ledger.now() > deadline do
          {:failed, {:never, wanted, other}}
        else
          receive do
          after
            20 -> visible(ask, wanted, deadline)
          end
        end
    end
  end
end
