defmodule HarTest.MeshTest do
  @moduledoc "3 BEAMs and 2 `har` nodes: everyone knows everyone, through loss and return."
  use ExUnit.Case

  alias HarTest.{Beam, Har, OsProcess, Remote, Wait}

  setup do
    beams = for _ <- 1..3, do: Beam.start_supervised()
    first = hd(beams)

    hars =
      for _ <- 1..2, do: Har.start_supervised(args: ["--diagnostics", "--connect", "#{first.node}"])

    for beam <- tl(beams), do: assert(Beam.call(beam, Node, :connect, [first.node]) == true)
    mesh = %{beams: beams, hars: hars, nodes: Enum.map(beams ++ hars, & &1.node)}
    await_full(mesh, mesh.nodes)
    mesh
  end

  defp seen_by_beam(beam), do: Beam.call(beam, Node, :list, [])
  defp seen_by_har(beam, har), do: Beam.call(beam, :rpc, :call, [har.node, :erlang, :nodes, []])

  defp others_of(nodes, node), do: Enum.sort(nodes -- [node])

  # Asks through the first BEAM, so that this node stays out of the mesh.
  defp await_full(%{beams: beams, hars: hars}, nodes) do
    first = hd(beams)

    for beam <- beams, beam.node in nodes do
      what = fn -> "#{beam.node} saw all; it saw #{inspect(seen_by_beam(beam))}" end
      Wait.until(what, fn -> Enum.sort(seen_by_beam(beam)) == others_of(nodes, beam.node) end)
    end

    for har <- hars, har.node in nodes do
      what = fn ->
        "#{har.node} saw all; it saw #{inspect(seen_by_har(first, har))}\n#{HarTest.log_of(har)}"
      end

      Wait.until(what, fn -> Enum.sort(seen_by_har(first, har)) == others_of(nodes, har.node) end)
    end
  end

  test "full mesh, and everyone answers everyone", %{beams: beams, nodes: nodes} do
    for beam <- beams do
      assert {answers, []} = Beam.call(beam, :rpc, :multicall, [nodes, :erlang, :node, [], 20_000])
      assert Enum.sort(answers) == Enum.sort(nodes)
    end
  end

  test "a har that is killed is lost to all, and comes back to all", mesh do
    %{hars: [killed, _other], nodes: nodes, beams: beams} = mesh
    OsProcess.signal(killed.process, "KILL")
    await_full(mesh, nodes -- [killed.node])
    Har.start_supervised(name: killed.name, args: ["--connect", "#{hd(beams).node}"])
    await_full(mesh, nodes)
  end

  test "a BEAM that is killed is lost to all, and the rest stays together", mesh do
    %{beams: [_first, _second, third], nodes: nodes} = mesh
    Beam.kill(third)
    rest = nodes -- [third.node]
    await_full(%{mesh | beams: Enum.take(mesh.beams, 2)}, rest)
    [first | _] = mesh.beams
    assert Beam.call(first, :global, :sync, []) == :ok
  end

  test "global and pg work across it", %{beams: [a, _b, c]} do
    for beam <- [a, c], do: Beam.call(beam, Remote, :start_pg, [])
    {:yes, pid} = Beam.call(a, Remote, :register_global, [:mesh_name])
    Beam.until(c, "the name was known", :global, :whereis_name, [:mesh_name], &(&1 == pid))
    member = Beam.call(c, Remote, :join_group, [:mesh_group])
    Beam.until(a, "the member was known", :pg, :get_members, [:mesh_group], &(&1 == [member]))
  end

  test "har answers har", %{hars: [one, two]} do
    for {asker, asked} <- [{one, two}, {two, one}] do
      assert {output, 0} = Har.cluster_command(["rpc", "#{asked.node}", "erlang", "nodes", "[]"])
      assert output =~ "#{asker.node}"
    end
  end
end
