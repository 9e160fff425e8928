defmodule HarTest.Wait do
  @moduledoc "Waiting by asking again, with a deadline: nothing in this suite sleeps a fixed time."

  @deadline_ms 30_000
  @pause_ms 10

  @doc "Calls `fun` until it returns something truthy, and returns that; raises after the deadline."
  def until(what, fun, deadline_ms \\ @deadline_ms) do
    poll(what, fun, System.monotonic_time(:millisecond) + deadline_ms)
  end

  defp poll(what, fun, deadline) do
    cond do
      value = fun.() ->
        value

      System.monotonic_time(:millisecond) > deadline ->
        raise "waited in vain until #{describe(what)}"

      true ->
        receive do
        after
          @pause_ms -> poll(what, fun, deadline)
        end
    end
  end

  defp describe(what) when is_function(what, 0), do: what.()
  defp describe(what), do: what
end
