defmodule HarTest.Soak.Sample do
  @moduledoc "What a har node holds at a moment: memory, processes, links, monitors."

  @doc "Asks the node, and `/proc` of this machine for its memory."
  def take(node, os_pid) do
    pids = :erpc.call(node, :erlang, :processes, [], 20_000)
    infos = for pid <- pids, info = info(node, pid), is_list(info), do: info
    total = fn key -> infos |> Enum.map(&length(&1[key])) |> Enum.sum() end

    %{
      rss_kib: rss_kib(os_pid),
      processes: length(pids),
      links: total.(:links),
      monitors: total.(:monitors),
      monitored_by: total.(:monitored_by),
      waiting: infos |> Enum.map(& &1[:message_queue_len]) |> Enum.sum()
    }
  end

  defp info(node, pid) do
    keys = [:links, :monitors, :monitored_by, :message_queue_len]
    :erpc.call(node, :erlang, :process_info, [pid, keys], 20_000)
  end

  defp rss_kib(os_pid) do
    status = File.read!("/proc/#{os_pid}/status")
    [_, kib] = Regex.run(~r/VmRSS:\s+(\d+) kB/, status)
    String.to_integer(kib)
  end

  @doc "Only what must be the same again once all traffic has ended."
  def counts(sample), do: Map.drop(sample, [:rss_kib, :waiting])

  def text(sample) do
    "RSS #{Float.round(sample.rss_kib / 1024, 1)} MiB, #{sample.processes} processes, " <>
      "#{sample.links} links, #{sample.monitors} monitors, #{sample.monitored_by} monitored by, " <>
      "#{sample.waiting} messages waiting"
  end
end
