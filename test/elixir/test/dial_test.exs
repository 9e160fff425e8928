defmodule HarTest.DialTest do
  @moduledoc "The other way: `har` connects to BEAMs, and its commands ask them."
  use ExUnit.Case

  alias HarTest.{Beam, Har, OsProcess, Wait}

  setup_all do
    %{beam: Beam.start_supervised()}
  end

  defp connected?(beam, har), do: har.node in Beam.call(beam, Node, :list, [])

  test "--connect makes it dial, visible on both sides", %{beam: beam} do
    har = Har.start_supervised(args: ["--diagnostics", "--connect", "#{beam.node}"])
    Wait.until("the BEAM saw har", fn -> connected?(beam, har) end)
    assert beam.node in Beam.call(beam, :rpc, :call, [har.node, :erlang, :nodes, []])
  end

  test "a hidden node that dials is hidden", %{beam: beam} do
    har = Har.start_supervised(args: ["--hidden", "--connect", "#{beam.node}"])

    Beam.until(beam, "the BEAM saw har", Node, :list, [:hidden], &(har.node in &1))
    refute connected?(beam, har)
  end

  test "it dials again after the BEAM restarted" do
    name = Har.unique("restarted")
    first = Beam.start_supervised(name: name)
    har = Har.start_supervised(args: ["--diagnostics", "--connect", "#{first.node}"])
    Wait.until("the first saw har", fn -> connected?(first, har) end)
    Beam.kill(first)
    second = Beam.start_supervised(name: name)
    Wait.until("the second saw har", fn -> connected?(second, har) end, 60_000)
    assert Beam.call(second, :net_adm, :ping, [har.node]) == :pong
  end

  test "it starts before the BEAM does, and connects when that comes" do
    name = Har.unique("late")
    har = Har.start_supervised(args: ["--diagnostics", "--connect", "#{name}@127.0.0.1"])
    assert OsProcess.exit_code(har.process) == nil
    beam = Beam.start_supervised(name: name)
    Wait.until("the BEAM saw har", fn -> connected?(beam, har) end, 60_000)
  end

  test "a BEAM that disconnects is dialled again", %{beam: beam} do
    har = Har.start_supervised(args: ["--diagnostics", "--connect", "#{beam.node}"])
    Wait.until("the BEAM saw har", fn -> connected?(beam, har) end)
    Beam.call(beam, Node, :disconnect, [har.node])
    Wait.until("the BEAM saw har again", fn -> connected?(beam, har) end, 60_000)
  end

  test "har ping of a BEAM is pong, exit code 0", %{beam: beam} do
    assert {output, 0} = Har.cluster_command(["ping", "#{beam.node}"])
    assert output =~ "pong"
  end

  test "har ping of nobody fails with one line that says what to do" do
    {output, code} = Har.cluster_command(["ping", "nobody@127.0.0.1"])
    assert code != 0
    assert output =~ "nobody"
    assert length(String.split(output, "\n", trim: true)) == 1
  end

  test "har ping with a wrong cookie fails and says so", %{beam: beam} do
    {output, code} = Har.cluster_command(["ping", "#{beam.node}"], cookie: :not_the_cookie)
    assert code != 0
    assert output =~ "cookie"
  end

  test "har names lists EPMD's nodes", %{beam: beam} do
    {output, code} = Har.command(["names", "--epmd-port", "#{HarTest.epmd_port()}"])
    assert code == 0, output
    assert output =~ beam.node |> Atom.to_string() |> String.split("@") |> hd()
    assert output =~ "driver"
  end

  test "har rpc of a BEAM prints the answer as Erlang terms", %{beam: beam} do
    assert {output, 0} =
             Har.cluster_command([
               "rpc",
               "#{beam.node}",
               "lists",
               "reverse",
               "[[1, {two, <<\"three\">>}]]"
             ])

    assert String.trim(output) == ~S([{two,<<"three">>},1])
  end

  test "har rpc --elixir", %{beam: beam} do
    assert {output, 0} =
             Har.cluster_command([
               "rpc",
               "#{beam.node}",
               "Enum",
               "reverse",
               "[[1, {:two, \"three\"}]]",
               "--elixir"
             ])

    assert String.trim(output) == ~S([{:two, "three"}, 1])
  end

  test "har rpc prints a raised error as a BEAM would, exit code 1", %{beam: beam} do
    assert {output, 1} = Har.cluster_command(["rpc", "#{beam.node}", "no_such_module", "f", "[1]"])

    assert output =~ "undef"
    assert output =~ "no_such_module"
  end

  test "har rpc of har", %{} do
    har = Har.start_supervised()
    assert {output, 0} = Har.cluster_command(["rpc", "#{har.node}", "erlang", "node", "[]"])
    assert String.trim(output) == "'#{har.node}'"
    assert {_output, 0} = Har.cluster_command(["ping", "#{har.node}"])
  end

  test "har rpc with a malformed term is one line with the place, exit code 65 or 64", %{beam: beam} do
    {output, code} = Har.cluster_command(["rpc", "#{beam.node}", "lists", "reverse", "[[1, {two]]"])
    assert code in [64, 65]
    assert length(String.split(output, "\n", trim: true)) <= 3
    assert output =~ ~r/column|1:/
  end

  test "commands leave no node behind", %{beam: beam} do
    for _ <- 1..5, do: {_output, 0} = Har.cluster_command(["ping", "#{beam.node}"])

    Beam.until(beam, "only lasting nodes were left", Node, :list, [:connected], fn nodes ->
      Enum.all?(nodes, &(&1 |> Atom.to_string() |> String.starts_with?(["har", "beam", "driver"])))
    end)

    {:ok, names} = :net_adm.names(~c"127.0.0.1")
    assert length(names) < 40
  end

  test "the name of a running node is refused, one line, nothing left running" do
    har = Har.start_supervised()
    second = Har.start(name: har.name, await: false)
    code = OsProcess.await_exit(second.process)
    assert code != 0
    assert OsProcess.output(second.process) =~ har.name
    Har.stop(second)
    assert Node.ping(har.node) == :pong
  end
end
