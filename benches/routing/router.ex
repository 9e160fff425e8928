defmodule Bench.Router do
  @moduledoc """
  Routing in Elixir, for comparison: the rules of HAR's control plane over the table of a `har` node.

  `route_batch/1` asks a server for the table, one for health and one for policies, for each operation,
  as the Elixir HAR does. `route_batch_direct/1` has all in the calling process and its globs compiled:
  the quickest that plain Elixir does with the same rules.
  """

  @policies [
    %{name: "deny_unknown_type", type: :deny, priority: 100, condition: %{backend_type: nil}},
    %{
      name: "prefer_local_dev",
      type: :prefer,
      priority: 50,
      condition: %{environment: :dev, backend_locality: :local},
      action: %{boost: 10}
    },
    %{name: "default_allow", type: :allow, priority: 0, condition: %{}}
  ]

  defmodule Table do
    @moduledoc false
    use GenServer

    def init(routes), do: {:ok, routes}

    def handle_call({:match, operation}, _from, routes) do
      {:reply, Bench.Router.match(routes, operation, &Bench.Router.glob/2), routes}
    end
  end

  defmodule Health do
    @moduledoc false
    use GenServer

    def init(_), do: {:ok, %{}}
    def handle_call({:get_health, id}, _from, known), do: {:reply, Map.get(known, id, :healthy), known}
  end

  defmodule Policies do
    @moduledoc false
    use GenServer

    def init(policies), do: {:ok, policies}

    def handle_call({:apply, backends, operation}, _from, policies) do
      {:reply, Bench.Router.allowed(backends, operation, policies), policies}
    end
  end

  @doc "Starts the three servers with the routes of `RoutingTable.get_routes/0`."
  def start(routes) do
    {:ok, _} = GenServer.start(Table, routes, name: Table)
    {:ok, _} = GenServer.start(Health, [], name: Health)
    {:ok, _} = GenServer.start(Policies, @policies, name: Policies)
    :persistent_term.put(__MODULE__, compiled(routes))
    :ok
  end

  def route_batch(operations), do: Enum.map(operations, &route/1)

  defp route(operation) do
    usable = fn backend ->
      GenServer.call(Health, {:get_health, "#{backend.type}:#{backend.name}"}) in [:healthy, :degraded]
    end

    Table
    |> GenServer.call({:match, operation})
    |> Enum.filter(usable)
    |> then(&GenServer.call(Policies, {:apply, &1, operation}))
    |> decision(operation)
  end

  def route_batch_direct(operations) do
    routes = :persistent_term.get(__MODULE__)

    Enum.map(operations, fn operation ->
      routes
      |> match(operation, &compiled_glob/2)
      |> allowed(operation, @policies)
      |> decision(operation)
    end)
  end

  defp decision([], _operation), do: {:error, :no_backend_available}

  defp decision([backend | alternatives], operation) do
    {:ok,
     %{
       __struct__: HAR.ControlPlane.RoutingDecision,
       operation: operation,
       backend: backend,
       alternatives: alternatives,
       reason: :pattern_match,
       timestamp: DateTime.utc_now()
     }}
  end

  def match(routes, operation, glob) do
    type = Atom.to_string(operation.type)

    routes
    |> Enum.filter(fn %{pattern: pattern} ->
      glob.(Map.get(pattern, :operation), type) and
        Enum.all?(Map.get(pattern, :target, %{}), fn {field, wanted} ->
          glob.(wanted, text(operation.target, field))
        end)
    end)
    |> Enum.flat_map(& &1.backends)
    |> Enum.sort_by(& &1.priority, :desc)
    |> Enum.uniq_by(& &1.name)
  end

  defp text(target, field) do
    case Map.get(target, field) || Map.get(target, String.to_atom(field)) do
      nil -> nil
      value -> to_string(value)
    end
  end

  def glob(wanted, _have) when wanted in [nil, "*"], do: true
  def glob(_wanted, nil), do: false
  def glob(wanted, wanted), do: true

  def glob(wanted, have) do
    String.contains?(wanted, "*") and Regex.match?(regex(wanted), have)
  end

  defp regex(glob) do
    pattern = glob |> String.replace(".", "\\.") |> String.replace("*", ".*")
    Regex.compile!("^" <> pattern <> "$")
  end

  defp compiled(routes) do
    one = fn
      any when any in [nil, "*"] -> :any
      glob -> if String.contains?(glob, "*"), do: regex(glob), else: glob
    end

    for route <- routes do
      target = for {field, wanted} <- Map.get(route.pattern, :target, %{}), do: {field, one.(wanted)}
      %{route | pattern: %{operation: one.(Map.get(route.pattern, :operation)), target: target}}
    end
  end

  defp compiled_glob(:any, _have), do: true
  defp compiled_glob(_wanted, nil), do: false
  defp compiled_glob(wanted, have) when is_binary(wanted), do: wanted == have
  defp compiled_glob(wanted, have), do: Regex.match?(wanted, have)

  def allowed(backends, operation, policies) do
    sorted = Enum.sort_by(policies, & &1.priority, :desc)
    Enum.filter(backends, fn backend -> verdict(sorted, backend, operation, 0) != :deny end)
  end

  defp verdict([], _backend, _operation, 0), do: :allow
  defp verdict([], _backend, _operation, boost), do: {:prefer, boost}

  defp verdict([policy | rest], backend, operation, boost) do
    case holds?(policy.condition, backend, operation) && policy.type do
      :deny -> :deny
      :prefer -> verdict(rest, backend, operation, boost + policy.action.boost)
      _ -> verdict(rest, backend, operation, boost)
    end
  end

  defp holds?(condition, backend, operation) do
    Enum.all?(condition, fn
      {:backend_type, type} -> backend.type == type
      {:backend_locality, place} -> if(backend.type == :local, do: :local, else: :remote) == place
      {:environment, environment} -> Map.get(operation.target, :environment) == environment
      _ -> true
    end)
  end
end
