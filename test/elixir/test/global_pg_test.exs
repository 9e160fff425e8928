defmodule HarTest.GlobalPgTest do
  @moduledoc "`:global` and `:pg` of two BEAMs that have a `har` node in their cluster."
  use ExUnit.Case

  alias HarTest.{Beam, Har, OsProcess, Remote}

  setup_all do
    [a, b] = for _ <- 1..2, do: Beam.start_supervised()
    har = Har.start_supervised()
    true = Beam.call(a, Node, :connect, [b.node])
    true = Beam.call(a, Node, :connect, [har.node])
    for beam <- [a, b], do: Beam.call(beam, Remote, :start_pg, [])

    Beam.until(b, "b saw har", Node, :list, [], &(har.node in &1))
    %{a: a, b: b, har: har}
  end

  test "the mesh closes by itself: har and b met through a", %{a: a, b: b, har: har} do
    assert Enum.sort(Beam.call(a, Node, :list, [])) == Enum.sort([b.node, har.node])
    assert Enum.sort(Beam.call(b, Node, :list, [])) == Enum.sort([a.node, har.node])
  end

  test ":global.sync returns", %{a: a, b: b} do
    assert Beam.call(a, :global, :sync, []) == :ok
    assert Beam.call(b, :global, :sync, []) == :ok
  end

  test "register_name on one is seen on the other", %{a: a, b: b} do
    {:yes, pid} = Beam.call(a, Remote, :register_global, [:global_one])
    Beam.until(b, "b knew the name", :global, :whereis_name, [:global_one], &(&1 == pid))
    assert :global_one in Beam.call(b, :global, :registered_names, [])
  end

  test "a second registration is refused", %{a: a, b: b} do
    {:yes, _pid} = Beam.call(a, Remote, :register_global, [:global_two])
    assert {:no, _other} = Beam.call(b, Remote, :register_global, [:global_two])
  end

  test "unregister_name is seen everywhere", %{a: a, b: b} do
    {:yes, pid} = Beam.call(a, Remote, :register_global, [:global_three])
    Beam.until(b, "b knew the name", :global, :whereis_name, [:global_three], &(&1 == pid))
    Beam.call(b, :global, :unregister_name, [:global_three])

    Beam.until(
      a,
      "a forgot the name",
      :global,
      :whereis_name,
      [:global_three],
      &(&1 == :undefined)
    )
  end

  test "a name goes with its process", %{a: a, b: b} do
    {:yes, pid} = Beam.call(a, Remote, :register_global, [:global_four])
    Beam.until(b, "b knew the name", :global, :whereis_name, [:global_four], &(&1 == pid))
    Beam.call(a, Process, :exit, [pid, :kill])

    Beam.until(b, "b forgot it", :global, :whereis_name, [:global_four], &(&1 == :undefined))
  end

  test "re_register_name moves a name", %{a: a, b: b} do
    {:yes, _pid} = Beam.call(a, Remote, :register_global, [:global_five])
    pid = Beam.call(b, Remote, :start_idle, [])
    assert Beam.call(b, :global, :re_register_name, [:global_five, pid]) == :yes
    Beam.until(a, "a saw the move", :global, :whereis_name, [:global_five], &(&1 == pid))
  end

  test "send by global name", %{a: a, b: b} do
    {:yes, pid} = Beam.call(a, Remote, :register_global, [:global_six])
    Beam.until(b, "b knew the name", :global, :whereis_name, [:global_six], &(&1 == pid))
    assert Beam.call(b, :global, :send, [:global_six, :hello]) == pid
  end

  test "trans runs the function under a lock of the whole cluster", %{a: a, b: b} do
    lock = {:the_lock, :some_requester}
    assert Beam.call(a, :global, :trans, [lock, &:erlang.node/0]) == a.node
    assert Beam.call(b, :global, :trans, [lock, &:erlang.node/0]) == b.node
  end

  test "set_lock of one keeps the other out until its owner ends", %{a: a, b: b, har: har} do
    nodes = [a.node, b.node, har.node]
    owner = Beam.call(a, Remote, :hold_lock, [:held, nodes])
    assert Beam.call(b, :global, :set_lock, [{:held, :other}, nodes, 0]) == false
    Beam.call(a, Process, :exit, [owner, :kill])
    Beam.until(b, "the lock was free", :global, :set_lock, [{:held, :other}, nodes, 0])
  end

  test "sync returns after a har node came and went", %{a: a, b: b} do
    passing = Har.start_supervised()
    true = Beam.call(a, Node, :connect, [passing.node])
    Beam.until(b, "b saw it", Node, :list, [], &(passing.node in &1))
    assert Beam.call(a, :global, :sync, []) == :ok
    OsProcess.signal(passing.process, "TERM")
    Beam.until(b, "b lost it", Node, :list, [], &(passing.node not in &1))
    assert Beam.call(a, :global, :sync, []) == :ok
    {:yes, pid} = Beam.call(a, Remote, :register_global, [:global_seven])
    Beam.until(b, "b knew the name", :global, :whereis_name, [:global_seven], &(&1 == pid))
  end

  test "names registered before har came do not stand in its way", %{a: a, b: b} do
    {:yes, pid} = Beam.call(a, Remote, :register_global, [:global_eight])
    late = Har.start_supervised()
    true = Beam.call(b, Node, :connect, [late.node])
    Beam.until(a, "a saw it", Node, :list, [], &(late.node in &1))
    assert Beam.call(b, :global, :sync, []) == :ok
    assert Beam.call(b, :global, :whereis_name, [:global_eight]) == pid
    OsProcess.signal(late.process, "TERM")
    Beam.until(a, "a lost it", Node, :list, [], &(late.node not in &1))
  end

  test "pg: a join on one is seen on the other", %{a: a, b: b} do
    pid = Beam.call(a, Remote, :join_group, [:group_one])
    Beam.until(b, "b saw the member", :pg, :get_members, [:group_one], &(&1 == [pid]))
  end

  test "pg: a leave is seen", %{a: a, b: b} do
    pid = Beam.call(a, Remote, :join_group, [:group_two])
    Beam.until(b, "b saw the member", :pg, :get_members, [:group_two], &(&1 == [pid]))
    :ok = Beam.call(a, :pg, :leave, [:group_two, pid])
    Beam.until(b, "b saw it leave", :pg, :get_members, [:group_two], &(&1 == []))
  end

  test "pg: members of both, and death of one", %{a: a, b: b} do
    [one, two] = for beam <- [a, b], do: Beam.call(beam, Remote, :join_group, [:group_three])

    for beam <- [a, b] do
      Beam.until(
        beam,
        "both were seen",
        :pg,
        :get_members,
        [:group_three],
        &(Enum.sort(&1) == Enum.sort([one, two]))
      )
    end

    Beam.call(a, Process, :exit, [one, :kill])
    Beam.until(b, "b saw the death", :pg, :get_members, [:group_three], &(&1 == [two]))
  end

  test "pg: har answers discover" do
    apart = Har.start_supervised()
    node = HarTest.connect!(apart)
    send({:pg, node}, {:discover, self()})
    assert_receive {:"$gen_cast", {:sync, scope, groups}}
    assert node(scope) == node and is_list(groups)
  end
end
