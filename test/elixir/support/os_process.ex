defmodule HarTest.OsProcess do
  @moduledoc """
  One operating system process, its output line by line, its pid and its exit code.

  It runs under `run_child.sh`, which kills it when this virtual machine ends.
  """
  use GenServer

  alias HarTest.Wait

  @doc "Starts `command` with `args`; options: `env: [{name, value | nil}]`."
  def start(command, args, opts \\ []) do
    {:ok, server} = GenServer.start(__MODULE__, {command, args, Keyword.get(opts, :env, [])})
    Wait.until("#{command} got a pid", fn -> os_pid(server) || exit_code(server) end)
    server
  end

  @doc "Runs a command to its end: `{output, exit code}`. Standard error is part of the output."
  def run(command, args, opts \\ []) do
    server = start(command, args, opts)
    said = fn -> "#{command} #{Enum.join(args, " ")} ended; it said:\n#{output(server)}" end
    code = Wait.until(said, fn -> exit_code(server) end, Keyword.get(opts, :deadline_ms, 60_000))
    result = {output(server), code}
    stop(server)
    result
  end

  def os_pid(server), do: GenServer.call(server, :os_pid)
  def exit_code(server), do: GenServer.call(server, :exit_code)
  def output(server), do: GenServer.call(server, :output)

  @doc "Sends a signal, such as `\"TERM\"`, if the process still runs."
  def signal(server, name) do
    pid = os_pid(server)

    if pid && exit_code(server) == nil do
      System.cmd("/bin/sh", ["-c", "kill -#{name} #{pid}"], stderr_to_stdout: true)
    end

    :ok
  end

  @doc "Waits for the end and returns the exit code (128 + n after signal n)."
  def await_exit(server, deadline_ms \\ 30_000) do
    said = fn -> "the process ended; it said:\n#{output(server)}" end
    Wait.until(said, fn -> exit_code(server) end, deadline_ms)
  end

  @doc "Waits until a line of the output matches, and returns the output so far."
  def await_output(server, pattern, deadline_ms \\ 30_000) do
    said = fn -> "the output matched #{inspect(pattern)}; it was:\n#{output(server)}" end

    Wait.until(
      said,
      fn ->
        text = output(server)
        if text =~ pattern, do: text
      end,
      deadline_ms
    )
  end

  @doc "Kills the process if it still runs, waits for its end and forgets it."
  def stop(server) do
    signal(server, "KILL")
    await_exit(server)
    GenServer.stop(server)
  end

  @impl true
  def init({command, args, env}) do
    wrapper = Path.join(__DIR__, "run_child.sh")
    executable = System.find_executable(command) || command

    port =
      Port.open({:spawn_executable, "/bin/sh"}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        args: [wrapper, executable | args],
        env: for({name, value} <- env, do: {to_charlist(name), env_value(value)})
      ])

    {:ok, %{port: port, os_pid: nil, exit_code: nil, output: ""}}
  end

  defp env_value(nil), do: false
  defp env_value(value), do: to_charlist(value)

  @impl true
  def handle_call(key, _from, state), do: {:reply, Map.fetch!(state, key), state}

  @impl true
  def handle_info({port, {:data, data}}, %{port: port} = state) do
    {:noreply, read_pid(%{state | output: state.output <> data})}
  end

  def handle_info({port, {:exit_status, code}}, %{port: port} = state) do
    {:noreply, %{state | exit_code: code}}
  end

  def handle_info(_other, state), do: {:noreply, state}

  # The wrapper's first line; what follows it is the program's own output.
  defp read_pid(%{os_pid: nil} = state) do
    case Regex.run(~r/\Arun_child: pid (\d+)\n/, state.output) do
      [line, pid] ->
        rest = binary_part(state.output, byte_size(line), byte_size(state.output) - byte_size(line))
        %{state | os_pid: String.to_integer(pid), output: rest}

      nil ->
        state
    end
  end

  defp read_pid(state), do: state
end
