defmodule HarTest.Times do
  @moduledoc "An ExUnit formatter that writes `SECONDS NAME` for each test to the file HAR_TEST_TIMES."
  use GenServer

  @impl true
  def init(_opts) do
    case System.get_env("HAR_TEST_TIMES") do
      file when file in [nil, ""] -> {:ok, nil}
      file -> {:ok, file}
    end
  end

  @impl true
  def handle_cast({:test_finished, test}, file) when is_binary(file) do
    seconds = :erlang.float_to_binary(test.time / 1_000_000, decimals: 3)
    otp = HarTest.otp()
    File.write!(file, "#{seconds} OTP #{otp}: #{inspect(test.module)} #{test.name}\n", [:append])
    {:noreply, file}
  end

  def handle_cast(_event, file), do: {:noreply, file}
end
