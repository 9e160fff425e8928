defmodule HarTest.HalvesTest do
  @moduledoc "Two halves of a cluster, a BEAM and a `har` node each, that meet: `global` and `pg`."
  use ExUnit.Case

  alias HarTest.{Beam, Har, Remote, Wait}

  setup do
    [a, b] = beams = for _ <- 1..2, do: Beam.start_supervised()

    hars =
      for beam <- beams do
        Beam.call(beam, Remote, :start_pg, [])
        # Peers may not make others join groups unless a rule names it.
        env = [{"HAR_CALLS_ALLOW", "*,pg:join,pg:leave"}]
        har = Har.start_supervised(args: ["--connect", "#{beam.node}"], env: env)
        Beam.until(beam, "it saw its half", Node, :list, [], &(&1 == [har.node]))
        har
      end

    %{a: a, b: b, hars: hars, nodes: Enum.map(beams ++ hars, & &1.node)}
  end

  # What a call gives on each node, asked through a BEAM that is in the cluster.
  defp on_each(%{a: a, nodes: nodes}, module, function, args) do
    for node <- nodes, do: Beam.call(a, :rpc, :call, [node, module, function, args])
  end

  defp meet(%{a: a, b: b} = halves) do
    assert Beam.call(a, Node, :connect, [b.node])
    await_whole(halves)
  end

  # Each sees all others.
  defp await_whole(%{nodes: nodes} = halves) do
    others = fn seen -> for list <- seen, is_list(list), do: length(list) end
    what = fn -> "all saw all; they saw #{inspect(on_each(halves, :erlang, :nodes, []))}" end

    Wait.until(what, fn ->
      others.(on_each(halves, :erlang, :nodes, [])) == List.duplicate(3, length(nodes))
    end)
  end

  test "of two processes of one name one stays, and all agree which", halves do
    %{a: a, b: b} = halves
    {:yes, of_a} = Beam.call(a, Remote, :register_global, [:clash])
    {:yes, of_b} = Beam.call(b, Remote, :register_global, [:clash])
    {:yes, alone} = Beam.call(b, Remote, :register_global, [:alone])
    meet(halves)

    [stays] =
      Wait.until("all agreed", fn ->
        case Enum.uniq(on_each(halves, :global, :whereis_name, [:clash])) do
          [pid] when pid in [of_a, of_b] -> [pid]
          _not_yet -> nil
        end
      end)

    [ended] = [of_a, of_b] -- [stays]

    asked = [node(ended), :erlang, :process_info, [ended, :status]]
    Beam.until(a, "the other ended", :rpc, :call, asked, &(&1 == :undefined))
    assert Enum.uniq(on_each(halves, :global, :whereis_name, [:alone])) == [alone]
  end

  test "a lock of all keeps others out until its owner ends", halves do
    %{a: a, b: b, nodes: nodes} = halves
    meet(halves)
    owner = Beam.call(a, Remote, :hold_lock, [:of_all, nodes])
    take = [{:of_all, :another}, nodes, 0]
    refute Beam.call(b, :global, :set_lock, take)
    Beam.call(a, Process, :exit, [owner, :kill])
    Beam.until(b, "the lock was free", :global, :set_lock, take)
    assert Beam.call(b, :global, :del_lock, [{:of_all, :another}, nodes])
  end

  test "members of groups on either side are known to all", halves do
    %{a: a, b: b, hars: [one, _two]} = halves
    of_beam = Beam.call(b, Remote, :join_group, [:both])
    of_har = Beam.call(a, Node, :spawn, [one.node, :timer, :sleep, [:infinity]])
    :ok = Beam.call(a, :rpc, :call, [one.node, :pg, :join, [:both, of_har]])
    meet(halves)

    Wait.until("all knew both", fn ->
      members = Enum.map(on_each(halves, :pg, :get_members, [:both]), &Enum.sort/1)
      Enum.uniq(members) == [Enum.sort([of_beam, of_har])]
    end)

    Beam.call(a, Process, :exit, [of_har, :kill])

    Wait.until("all knew the rest", fn ->
      Enum.uniq(on_each(halves, :pg, :get_members, [:both])) == [[of_beam]]
    end)
  end

  test "a connection lost between two does not leave partitions that overlap", halves do
    %{a: a, b: b, nodes: nodes} = halves
    meet(halves)
    Beam.call(a, :erlang, :disconnect_node, [b.node])

    # Each BEAM is asked by its own way in, since the cluster may be in parts.
    seen = fn beam -> Enum.sort([beam.node | Beam.call(beam, Node, :list, [])]) end

    Wait.until("the parts did not overlap", fn ->
      [of_a, of_b] = [seen.(a), seen.(b)]
      of_a == of_b or Enum.all?(of_a, &(&1 not in of_b))
    end)

    # The har nodes dial again, and it closes.
    Beam.call(a, Node, :connect, [b.node])
    for node <- nodes -- [a.node], do: Beam.call(a, Node, :connect, [node])
    await_whole(halves)
  end
end
