defmodule HarTest.EpmdTest do
  @moduledoc "EPMD inside `har`: BEAMs use it; Erlang's own is joined; another node takes over."
  use ExUnit.Case

  alias HarTest.{Beam, Epmd, Har, OsProcess, Wait}

  setup do
    %{port: Epmd.free_port()}
  end

  defp names(port), do: (Epmd.names(port) || []) |> Enum.map(&elem(&1, 0)) |> Enum.sort()

  test "a first node brings EPMD; BEAMs register in it and meet through it", %{port: port} do
    har = Har.start_supervised(epmd_port: port)
    [a, b] = for _ <- 1..2, do: Beam.start_supervised(epmd_port: port)
    assert Beam.call(a, Node, :connect, [b.node]) == true
    assert Beam.call(a, Node, :ping, [har.node]) == :pong
    assert {:ok, names} = Beam.call(a, :net_adm, :names, [~c"127.0.0.1"])
    assert length(names) == 3
  end

  test "a BEAM that ends is unregistered", %{port: port} do
    har = Har.start_supervised(epmd_port: port)
    beam = Beam.start_supervised(epmd_port: port)
    assert length(names(port)) == 2
    Beam.kill(beam)
    Wait.until("its name was gone", fn -> names(port) == [har.name] end)
  end

  test "a taken name is refused to a second BEAM", %{port: port} do
    Har.start_supervised(epmd_port: port)
    beam = Beam.start_supervised(epmd_port: port)
    [name, _host] = beam.node |> Atom.to_string() |> String.split("@")
    assert catch_exit(Beam.start(epmd_port: port, name: name))
    assert name in names(port)
  end

  test "Erlang's epmd -names reads it", %{port: port} do
    har = Har.start_supervised(epmd_port: port)
    {text, 0} = System.cmd("epmd", ["-port", "#{port}", "-names"], stderr_to_stdout: true)
    assert text =~ "name #{har.name} at port"
  end

  test "har joins an EPMD that is there", %{port: port} do
    daemon = Epmd.start_daemon(port)
    on_exit(fn -> OsProcess.stop(daemon) end)
    har = Har.start_supervised(epmd_port: port)
    beam = Beam.start_supervised(epmd_port: port)
    assert Beam.call(beam, Node, :ping, [har.node]) == :pong
    assert length(names(port)) == 2
    OsProcess.signal(har.process, "TERM")
    assert OsProcess.await_exit(har.process) == 0
    Wait.until("its name was gone", fn -> length(names(port)) == 1 end)
  end

  test "a second har joins the EPMD of the first", %{port: port} do
    [a, b] = for _ <- 1..2, do: Har.start_supervised(epmd_port: port)
    assert names(port) == Enum.sort([a.name, b.name])
    assert {output, 0} = Har.cluster_command(["ping", "#{b.node}"], epmd_port: port)
    assert output =~ "pong"
  end

  test "when the node that embeds EPMD ends, another takes over", %{port: port} do
    first = Har.start_supervised(epmd_port: port)
    second = Har.start_supervised(epmd_port: port)
    OsProcess.signal(first.process, "TERM")
    OsProcess.await_exit(first.process)
    Wait.until("the second was registered anew", fn -> names(port) == [second.name] end, 60_000)
    beam = Beam.start_supervised(epmd_port: port)
    assert Beam.call(beam, Node, :ping, [second.node]) == :pong
  end

  test "and so when it is killed", %{port: port} do
    first = Har.start_supervised(epmd_port: port)
    others = for _ <- 1..2, do: Har.start_supervised(epmd_port: port)
    OsProcess.signal(first.process, "KILL")
    expected = others |> Enum.map(& &1.name) |> Enum.sort()
    Wait.until("both were registered anew", fn -> names(port) == expected end, 60_000)
  end

  test "an EPMD that restarted is registered with again", %{port: port} do
    daemon = Epmd.start_daemon(port)
    har = Har.start_supervised(epmd_port: port)
    OsProcess.stop(daemon)
    Wait.until("har was registered anew", fn -> names(port) == [har.name] end, 60_000)
  end
end
