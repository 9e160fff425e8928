defmodule HarTest.Har do
  @moduledoc "A `har` node as an operating system process, and `har`'s commands."

  alias HarTest.{Epmd, OsProcess, Wait}

  @enforce_keys [:node, :name, :process, :epmd_port]
  defstruct @enforce_keys

  @doc """
  Starts `har start` and waits until it is registered and takes connections.

  Options: `name:` (before the @; unique by default), `host:`, `epmd_port:`, `cookie:`, `args:` (more
  flags), `env:`, `await: false` (return at once).
  """
  def start(opts \\ []) do
    name = Keyword.get_lazy(opts, :name, fn -> unique("har") end)
    epmd_port = Keyword.get_lazy(opts, :epmd_port, &HarTest.epmd_port/0)
    cookie = Keyword.get_lazy(opts, :cookie, &HarTest.cookie/0)

    host = Keyword.get(opts, :host, "127.0.0.1")
    form = if host =~ ".", do: "--name", else: "--sname"

    args =
      ["start", form, "#{name}@#{host}", "--epmd-port", "#{epmd_port}"] ++
        ["--cookie", "#{cookie}"] ++ Keyword.get(opts, :args, ["--diagnostics"])

    process = OsProcess.start(HarTest.har_binary(), args, env: env(opts))

    har = %__MODULE__{
      node: :"#{name}@#{host}",
      name: name,
      process: process,
      epmd_port: epmd_port
    }

    if Keyword.get(opts, :await, true), do: await_reachable(har)
    har
  end

  @doc "Starts a node that is ended with the test or module that called this."
  def start_supervised(opts \\ []) do
    har = start(opts)
    ExUnit.Callbacks.on_exit(fn -> stop(har) end)
    har
  end

  def await_reachable(har) do
    said = fn -> "#{har.node} was reachable; it said:\n#{OsProcess.output(har.process)}" end

    Wait.until(said, fn ->
      if code = OsProcess.exit_code(har.process) do
        raise "har ended with #{code}:\n#{OsProcess.output(har.process)}"
      end

      Epmd.reachable?(har.epmd_port, har.name)
    end)

    har
  end

  @doc "Ends the node whatever its state; safe to call twice."
  def stop(har) do
    if Process.alive?(har.process), do: OsProcess.stop(har.process)
    :ok
  end

  @doc "Runs one `har` command to its end: `{output, exit code}`."
  def command(args, opts \\ []) do
    OsProcess.run(HarTest.har_binary(), args, env: env(opts))
  end

  @doc "A command that talks to a node of this suite's cluster."
  def cluster_command(args, opts \\ []) do
    epmd_port = Keyword.get_lazy(opts, :epmd_port, &HarTest.epmd_port/0)
    cookie = Keyword.get_lazy(opts, :cookie, &HarTest.cookie/0)
    env = [{"HAR_COOKIE", "#{cookie}"} | Keyword.get(opts, :env, [])]
    command(args ++ ["--epmd-port", "#{epmd_port}"], Keyword.put(opts, :env, env))
  end

  def unique(prefix), do: "#{prefix}#{System.unique_integer([:positive])}"

  # The suite's own variables would be taken as settings by the node under test.
  defp env(opts) do
    [{"ERL_EPMD_PORT", nil}, {"RELEASE_NODE", nil}, {"RELEASE_COOKIE", nil}] ++
      Keyword.get(opts, :env, [])
  end
end
