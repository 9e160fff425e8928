# A client in the eu: has jobs done by one har node and looks at each answer.
#   elixir ... driver.exs HAR_NODE
# Reads `jobs N`, `full COUNT`, `places` and `reload PATH` on standard input; one line answers each.
[har] = Enum.map(System.argv(), &String.to_atom/1)
true = :net_kernel.hidden_connect_node(har)

defmodule Driver do
  # Of the eu and of nobody, in turn: their texts are looked for on the wire.
  def operations(job) do
    for n <- 1..200 do
      region = if rem(n, 2) == 0, do: "eu", else: "any"
      marker = if region == "eu", do: "ONLY-IN-THE-EU", else: "GOES-ANYWHERE"

      %{
        __struct__: HAR.Semantic.Operation,
        id: "#{job}-#{n}",
        type: :service_start,
        params: %{service: marker, note: marker},
        target: %{},
        metadata: %{data_region: region}
      }
    end
  end

  # How many operations were answered with their own decision, reported failed, or neither.
  def job(har, job) do
    operations = operations(job)
    options = [report: true, chunk: 10, chunk_timeout: 3_000, timeout: 30_000]

    case :rpc.call(har, HAR, :route_all, [operations, options], 60_000) do
      {:ok, results, chunks} when length(results) == length(operations) ->
        kinds =
          for {operation, result} <- Enum.zip(operations, results) do
            case result do
              {:ok, %{operation: ^operation}} -> :answered
              {:error, {:chunk_failed, _}} -> :failed
              _ -> :wrong
            end
          end

        nodes = for %{node: node, result: :ok} <- chunks, do: node
        {Enum.frequencies(kinds), nodes}

      _other ->
        {%{wrong: length(operations)}, []}
    end
  end

  def jobs(har, name, count) do
    outcomes = for n <- 1..count, do: job(har, "#{name}-#{n}")
    sum = fn kind -> outcomes |> Enum.map(&Map.get(elem(&1, 0), kind, 0)) |> Enum.sum() end
    nodes = outcomes |> Enum.flat_map(&elem(&1, 1)) |> Enum.uniq() |> Enum.sort()
    "#{count * 200} #{sum.(:answered)} #{sum.(:failed)} #{sum.(:wrong)} #{Enum.join(nodes, ",")}"
  end

  def places(har) do
    for %{node: node, har: true, region: region, latency_ms: latency} <- :rpc.call(har, HAR.Cluster, :nodes, []),
        is_float(latency),
        do: "#{node}=#{region}=#{latency}"
  end
end

IO.puts("ready")

IO.stream(:stdio, :line)
|> Enum.each(fn line ->
  answer =
    case String.split(line) do
      ["jobs", name, count] -> Driver.jobs(har, name, String.to_integer(count))
      ["nodes"] -> har |> :rpc.call(:erlang, :nodes, []) |> List.wrap() |> Enum.sort() |> Enum.map_join(",", &inspect/1)
      ["places"] -> har |> Driver.places() |> Enum.join(" ")
      ["reload", path] -> inspect(:rpc.call(har, HAR.ControlPlane.RoutingTable, :reload, [path]))
      ["choice"] -> har |> :rpc.call(HAR.Cluster.LoadBalancer, :route_to_node, [%{id: "x"}]) |> to_string()
    end

  IO.puts(answer)
end)
