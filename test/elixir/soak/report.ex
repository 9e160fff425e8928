defmodule HarTest.Soak.Report do
  @moduledoc "The words at the end of a soak, and whether its memory was flat."

  alias HarTest.Soak.Sample

  # Before this share of the run is over, caches and the allocator still fill.
  @warm_up 0.25
  # Growth from the second quarter to the last that a flat run may show: the allocator's noise.
  @flat_share 0.05

  @doc "Growth of the mean RSS from the second quarter of the run to the last one, as a share."
  def growth(samples) do
    {last, _sample} = List.last(samples)
    mean = fn from, to -> mean_rss(samples, from * last, to * last) end
    early = mean.(@warm_up, 2 * @warm_up)
    if early, do: mean.(1 - @warm_up, 1) / early - 1, else: 0.0
  end

  defp mean_rss(samples, from, to) do
    case for {second, sample} <- samples, second >= from, second <= to, do: sample.rss_kib do
      [] -> nil
      values -> Enum.sum(values) / length(values)
    end
  end

  def flat?(report), do: growth(report.samples) <= @flat_share

  @doc "Prints it all."
  def print(report) do
    IO.puts("\n#{total(report.right)} right answers: #{kinds(report.right)}")
    IO.puts("#{total(report.excused)} failed with a killed node: #{kinds(report.excused)}")
    IO.puts("#{report.kills} nodes killed and started again")
    samples = report.samples
    show = fn name, {second, sample} -> IO.puts("#{name} (#{second} s): #{Sample.text(sample)}") end
    show.("start", hd(samples))
    show.("middle", Enum.at(samples, div(length(samples), 2)))
    show.("end", List.last(samples))
    percent = Float.round(100 * growth(samples), 1)
    IO.puts("RSS from the second quarter to the last: #{percent} %")
    for fault <- report.faults, do: IO.puts("FAULT #{fault}")
    IO.puts("#{length(report.faults)} faults")
  end

  defp total(counts), do: counts |> Map.values() |> Enum.sum()
  defp kinds(counts), do: Enum.map_join(counts, ", ", fn {kind, n} -> "#{kind} #{n}" end)
end
