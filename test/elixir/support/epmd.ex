defmodule HarTest.Epmd do
  @moduledoc "Private EPMD ports, the daemon that Erlang brings, and a bare client of it."

  alias HarTest.{OsProcess, Wait}

  @ports 14_408..14_499

  @doc "A port on which nothing listens; by random choice, so that two suites may run side by side."
  def free_port do
    @ports |> Enum.shuffle() |> Enum.find(&free?/1) || raise "no free port in #{inspect(@ports)}"
  end

  defp free?(port) do
    case :gen_tcp.listen(port, ip: {127, 0, 0, 1}, reuseaddr: true) do
      {:ok, socket} -> :gen_tcp.close(socket) == :ok
      {:error, _reason} -> false
    end
  end

  @doc "Starts Erlang's own `epmd` on `port`."
  def start_daemon(port) do
    epmd =
      System.find_executable("epmd") ||
        raise "no epmd in PATH; Debian's erlang-base has it"

    daemon = OsProcess.start(epmd, ["-port", "#{port}", "-address", "127.0.0.1"])
    Wait.until("epmd answers on #{port}", fn -> names(port) end)
    daemon
  end

  @doc "`[{name, port}]`, or nil when nothing answers."
  def names(port) do
    with {:ok, socket} <- connect(port),
         :ok <- :gen_tcp.send(socket, <<1::16, ?n>>),
         {:ok, <<_port::32, text::binary>>} <- read_all(socket, "") do
      for [_, name, number] <- Regex.scan(~r/^name (\S+) at port (\d+)$/m, text) do
        {name, String.to_integer(number)}
      end
    else
      _failed -> nil
    end
  end

  @doc "Is `name` registered, and does its port take connections?"
  def reachable?(epmd_port, name) do
    case List.keyfind(names(epmd_port) || [], name, 0) do
      {_name, port} ->
        case connect(port) do
          {:ok, socket} -> :gen_tcp.close(socket) == :ok
          {:error, _reason} -> false
        end

      nil ->
        false
    end
  end

  defp connect(port), do: :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false], 5_000)

  defp read_all(socket, read) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, more} -> read_all(socket, read <> more)
      {:error, :closed} -> {:ok, read}
      {:error, reason} -> {:error, reason}
    end
  end
end
