# Drives two nodes with the same batches: har, and a BEAM with benches/routing/router.ex.
#   elixir ... bench.exs HAR_NODE BEAM_NODE ROUNDS
[har, beam, rounds] = System.argv()
{har, beam, rounds} = {String.to_atom(har), String.to_atom(beam), String.to_integer(rounds)}
Code.require_file("router.ex", __DIR__)
for node <- [har, beam], do: true = Node.connect(node)

routes = :erpc.call(har, HAR.ControlPlane.RoutingTable, :get_routes, [])
[{_, code} | _] = modules = Code.compile_file(Path.join(__DIR__, "router.ex"))
true = is_binary(code)
for {module, code} <- modules, do: {:module, _} = :erpc.call(beam, :code, :load_binary, [module, 'router', code])
# The servers outlive the call that starts them.
:ok = :erpc.call(beam, Bench.Router, :start, [routes])
:ok = Bench.Router.start(routes)

types = {:package_install, :service_start, :file_write, :user_create, :shell_run}

targets =
  {%{os: :debian}, %{device_type: :iot, os: :alpine}, %{ipv6: "2001:db8:2::5"}, %{environment: :dev},
   %{region: "eu-west"}, %{}}

operations =
  for n <- 0..9_999 do
    %{
      __struct__: HAR.Semantic.Operation,
      id: "op_#{n}",
      type: elem(types, rem(n, 5)),
      params: %{name: "thing-#{n}", state: "present"},
      target: elem(targets, rem(n, 6)),
      metadata: %{}
    }
  end

backends = fn results -> for {:ok, decision} <- results, do: decision.backend.name end
time = fn run -> run |> :timer.tc() |> elem(0) end

sides = [
  {"har, from Elixir", fn -> :erpc.call(har, HAR.ControlPlane.Router, :route_batch, [operations]) end},
  {"BEAM, from Elixir", fn -> :erpc.call(beam, Bench.Router, :route_batch, [operations]) end},
  {"BEAM, from Elixir, one process", fn -> :erpc.call(beam, Bench.Router, :route_batch_direct, [operations]) end},
  {"BEAM, in the caller", fn -> Bench.Router.route_batch(operations) end},
  {"BEAM, in the caller, one process", fn -> Bench.Router.route_batch_direct(operations) end}
]

# Warm, and the same decisions: but for what har matches and Elixir does not (prefixes, specificity).
[ours | others] = for {_, run} <- sides, do: backends.(run.())
10_000 = length(ours)
for names <- others do
  same = Enum.zip(ours, names) |> Enum.count(fn {a, b} -> a == b end)
  true = same > 5_000
end

times = for _ <- 1..rounds, {name, run} <- sides, reduce: %{} do
  times -> Map.update(times, name, [time.(run)], &[time.(run) | &1])
end

single = fn run ->
  times = for _ <- 1..2_000, do: time.(run)
  Enum.at(Enum.sort(times), 1_980)
end

IO.puts("route_batch of 10,000 operations, #{rounds} rounds, interleaved (median of each)")
for {name, _} <- sides do
  sorted = Enum.sort(times[name])
  median = Enum.at(sorted, div(length(sorted), 2))
  IO.puts("  #{String.pad_trailing(name, 34)} #{:erlang.float_to_binary(median / 1000, decimals: 1)} ms, " <>
    "#{round(10_000 / median * 1_000_000)} decisions/s")
end

one = [hd(operations)]
IO.puts("one operation, p99 of 2,000 calls")
IO.puts("  har #{single.(fn -> :erpc.call(har, HAR.ControlPlane.Router, :route_batch, [one]) end)} us, " <>
  "BEAM #{single.(fn -> :erpc.call(beam, Bench.Router, :route_batch, [one]) end)} us")
