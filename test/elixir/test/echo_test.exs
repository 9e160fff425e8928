defmodule HarTest.EchoTest do
  @moduledoc "Terms to `har` and back: every kind, every size, in order (`--diagnostics`)."
  use ExUnit.Case

  alias HarTest.{Beam, Har, Terms}

  setup_all do
    har = Har.start_supervised()
    HarTest.connect!(har)
    %{har: har.node}
  end

  defp echo(har, term) do
    send({:echo, har}, {self(), term})
    assert_receive {pid, answer} when is_pid(pid), 60_000
    assert node(pid) == har
    answer
  end

  # `==` would call 1 and 1.0, 0.0 and -0.0 equal; the bytes do not.
  defp assert_comes_back(har, term) do
    answer = echo(har, term)
    assert answer === term
    assert encoded(answer) == encoded(term)
  end

  # Two encodings of a large map may differ in order; then `===` above has to do.
  defp encoded(term), do: if(plain?(term), do: :erlang.term_to_binary(term), else: :any)
  defp plain?(map) when is_map(map), do: false
  defp plain?([head | tail]), do: plain?(head) and plain?(tail)
  defp plain?(tuple) when is_tuple(tuple), do: plain?(Tuple.to_list(tuple))
  defp plain?(_other), do: true

  test "one of each kind, and the edges of each", %{har: har} do
    for term <- Terms.examples(), do: assert_comes_back(har, term)
  end

  test "2,000 random terms", %{har: har} do
    seed = ExUnit.configuration()[:seed]

    for {term, n} <- seed |> Terms.stream() |> Stream.with_index() |> Enum.take(2_000) do
      answer = echo(har, term)
      assert answer === term, "seed #{seed}, term #{n}: #{inspect(term)} came as #{inspect(answer)}"
    end
  end

  test "a fun comes home and still runs", %{har: har} do
    captured = {:captured, [1, 2.0, "three"]}
    fun = fn x -> {captured, x} end
    assert echo(har, fun).(5) == {captured, 5}
    assert echo(har, &String.upcase/1).("a") == "A"
  end

  test "a pid of a third node, and a reference of it", %{har: har} do
    beam = Beam.start_supervised()
    pid = Beam.call(beam, HarTest.Remote, :start_idle, [])
    ref = Beam.call(beam, :erlang, :make_ref, [])
    assert_comes_back(har, [pid, ref])
  end

  test "atoms that har never saw, more than an atom cache holds", %{har: har} do
    for chunk <- 1..5_000 |> Enum.map(&:"echo_atom_#{&1}") |> Enum.chunk_every(100) do
      assert_comes_back(har, chunk)
    end
  end

  for {label, bytes} <- [{"64 KiB", 65_536}, {"1 MiB", 1_048_576}, {"64 MiB", 67_108_864}] do
    test "a binary of #{label}", %{har: har} do
      binary = :crypto.strong_rand_bytes(unquote(bytes))
      assert echo(har, binary) == binary
    end
  end

  test "a list of 300,000 integers and a map of 50,000 keys", %{har: har} do
    list = Enum.to_list(1..300_000)
    assert echo(har, list) == list
    map = Map.new(1..50_000, &{&1, {"value", &1}})
    assert echo(har, map) == map
  end

  test "10,000 messages of mixed sizes stay in order", %{har: har} do
    sizes = [0, 10, 100, 1_000, 64_000, 0, 0, 200_000, 5]
    total = 10_000
    pid = :rpc.call(har, :erlang, :whereis, [:echo])
    parent = self()

    spawn_link(fn ->
      for n <- 1..total do
        # Large ones are sent by fragments, which small ones of others may overtake, ours not.
        size = if rem(n, 97) == 0, do: Enum.at(sizes, rem(n, 9)), else: rem(n, 50)
        send(pid, {parent, {n, :binary.copy(<<n>>, size)}})
      end
    end)

    for n <- 1..total do
      assert_receive {^pid, {m, binary}}, 60_000
      assert m == n
      assert binary == :binary.copy(<<n>>, byte_size(binary))
    end
  end

  test "8 senders at the same time, each in order", %{har: har} do
    1..8
    |> Task.async_stream(
      fn sender ->
        for n <- 1..1_000 do
          size = if rem(n, 100) == 0, do: 150_000, else: 20
          send({:echo, har}, {self(), {sender, n, :binary.copy("x", size)}})
        end

        for n <- 1..1_000 do
          receive do
            {_pid, {^sender, m, _binary}} -> ^n = m
          after
            60_000 -> raise "message #{n} of sender #{sender} did not come back"
          end
        end

        :in_order
      end,
      max_concurrency: 8,
      timeout: 180_000
    )
    |> Enum.each(fn answer -> assert answer == {:ok, :in_order} end)
  end

  test "a small signal is not held up behind a large message", %{har: har} do
    large = :crypto.strong_rand_bytes(32 * 1_048_576)
    parent = self()
    spawn_link(fn -> send({:echo, har}, {parent, large}) end)
    assert :erpc.call(har, :erlang, :node, []) == har
    assert_receive {_pid, ^large}, 60_000
  end

  test "echo ignores what is not {pid, term}, and lives", %{har: har} do
    for junk <- [:atom, {}, {1, 2}, {self()}, "x", [self(), 1], {self(), 1, 2}] do
      send({:echo, har}, junk)
    end

    assert echo(har, :alive) == :alive
    refute_received _anything
  end

  test "sink counts messages and the bytes of binaries", %{har: har} do
    send({:sink, har}, {self(), :sync})
    assert_receive {:sink, _count, _bytes}
    for n <- 1..1_000, do: send({:sink, har}, {:message, n})
    for _ <- 1..10, do: send({:sink, har}, :binary.copy("x", 1_000))
    send({:sink, har}, {self(), :sync})
    assert_receive {:sink, 1_010, 10_000}
    send({:sink, har}, {self(), :sync})
    assert_receive {:sink, 0, 0}
  end

  test "100,000 small messages one way", %{har: har} do
    send({:sink, har}, {self(), :sync})
    assert_receive {:sink, _count, _bytes}
    for n <- 1..100_000, do: send({:sink, har}, {:message, n})
    send({:sink, har}, {self(), :sync})
    assert_receive {:sink, 100_000, 0}, 60_000
  end

  test "without --diagnostics nobody has these names" do
    plain = Har.start_supervised(args: [])
    node = HarTest.connect!(plain)
    assert :rpc.call(node, :erlang, :whereis, [:echo]) == :undefined
    assert :rpc.call(node, :erlang, :whereis, [:sink]) == :undefined
  end
end
