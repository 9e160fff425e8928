defmodule HarTest.Beam do
  @moduledoc """
  A BEAM node as an operating system process. It is driven over its standard input and output,
  so that asking it something does not connect it to anybody.
  """

  alias HarTest.Wait

  @enforce_keys [:node, :peer, :os_pid]
  defstruct @enforce_keys

  @doc "Options: `name:`, `host:`, `epmd_port:`, `cookie:`, `args:` (more flags of `erl`)."
  def start(opts \\ []) do
    name = Keyword.get_lazy(opts, :name, fn -> HarTest.Har.unique("beam") end)
    epmd_port = Keyword.get_lazy(opts, :epmd_port, &HarTest.epmd_port/0)
    cookie = Keyword.get_lazy(opts, :cookie, &HarTest.cookie/0)
    host = Keyword.get(opts, :host, "127.0.0.1")
    code = for path <- :code.get_path(), path != ~c".", arg <- [~c"-pa", path], do: arg

    {:ok, peer, node} =
      :peer.start(%{
        name: to_charlist(name),
        host: to_charlist(host),
        longnames: host =~ ".",
        connection: :standard_io,
        wait_boot: 60_000,
        env: [{~c"ERL_EPMD_PORT", ~c"#{epmd_port}"}],
        args:
          [~c"-setcookie", ~c"#{cookie}", ~c"-start_epmd", ~c"false"] ++
            [~c"-kernel", ~c"logger_level", ~c"none"] ++
            Enum.map(Keyword.get(opts, :args, []), &to_charlist/1) ++ code
      })

    beam = %__MODULE__{node: node, peer: peer, os_pid: nil}
    {:ok, _apps} = call(beam, :application, :ensure_all_started, [:elixir])
    %{beam | os_pid: call(beam, :os, :getpid, []) |> List.to_integer()}
  end

  def start_supervised(opts \\ []) do
    beam = start(opts)
    ExUnit.Callbacks.on_exit(fn -> stop(beam) end)
    beam
  end

  @doc "Applies a function on that node. A raised error is raised here too."
  def call(beam, module, function, args, timeout_ms \\ 60_000) do
    :peer.call(beam.peer, module, function, args, timeout_ms)
  end

  @doc "Asks that node until the answer is truthy."
  def until(beam, what, module, function, args, accept \\ & &1) do
    Wait.until(what, fn ->
      answer = call(beam, module, function, args)
      if accept.(answer), do: answer
    end)
  end

  @doc "Ends the node at once, as a crash would."
  def kill(beam) do
    System.cmd("/bin/sh", ["-c", "kill -KILL #{beam.os_pid}"], stderr_to_stdout: true)
    Wait.until("#{beam.node} was gone", fn -> not Process.alive?(beam.peer) end)
    :ok
  end

  def stop(beam) do
    if Process.alive?(beam.peer), do: :peer.stop(beam.peer)
    :ok
  catch
    :exit, _already_gone -> :ok
  end
end
