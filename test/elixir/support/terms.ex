defmodule HarTest.Terms do
  @moduledoc "Random terms of every kind that a BEAM can send, from a seed, of bounded size."

  @doc "A stream of terms; the same seed gives the same terms (but for pids and references)."
  def stream(seed) do
    Stream.unfold(:rand.seed_s(:exsss, seed), fn state ->
      :rand.seed(state)
      term = term(4)
      {term, :rand.export_seed() |> :rand.seed_s()}
    end)
  end

  @doc "One example of each kind, and the edges of each."
  def examples do
    integers() ++ floats() ++ atoms() ++ binaries() ++ identifiers() ++ containers()
  end

  defp integers do
    for exponent <- [0, 7, 8, 15, 16, 27, 28, 31, 32, 59, 60, 63, 64, 100, 2039, 2040, 5000],
        difference <- [-1, 0, 1],
        sign <- [1, -1],
        do: sign * (Bitwise.bsl(1, exponent) + difference)
  end

  defp floats do
    <<subnormal::float>> = <<1::64>>
    [0.0, -0.0, 1.0, -1.5, 1.0e-300, 1.7976931348623157e308, subnormal, 0.1, 1.0e15, 123_456.789]
  end

  defp atoms do
    long = String.duplicate("a", 255)

    [
      :ok,
      :"",
      nil,
      true,
      :"hello world",
      :dépêche,
      :"Ω≈ç",
      String.to_atom(long),
      HAR.Semantic.Graph
    ] ++
      [String.to_atom(String.duplicate("ü", 200))]
  end

  defp binaries do
    ["", "a", "grüße", <<0, 255>>, String.duplicate("x", 65), :crypto.strong_rand_bytes(5_000)] ++
      for(bits <- 1..15, do: <<Bitwise.bsl(1, bits) - 1::size(bits)>>) ++
      [<<1, 2, 3, 4::size(3)>>]
  end

  defp identifiers do
    [self(), make_ref(), Process.group_leader(), hd(Port.list())] ++
      [&:erlang.node/0, Function.capture(HAR, :convert, 3), &Enum.map/2] ++
      [fn -> :no_variables end, closure({1, "two"})] ++ [:erlang.whereis(:net_kernel)]
  end

  defp closure(captured), do: fn x -> {captured, x} end

  defp containers do
    [{}, {1}, List.to_tuple(Enum.to_list(1..300)), [], [1, 2, 3], ~c"charlist", [1 | 2], [[[[]]]]] ++
      [Enum.to_list(1..1_000), List.duplicate(255, 70_000), %{}, %{:a => 1, "b" => [2], 3 => %{}}] ++
      [Map.new(1..40, &{&1, &1 * &1}), Map.new(1..2_000, &{"key#{&1}", &1}), %{1.0 => :a, 1 => :b}] ++
      [1..3, MapSet.new([1, 2]), ~D[2026-01-01], deep_list(500), deep_tuple(500)]
  end

  defp deep_list(0), do: []
  defp deep_list(depth), do: [deep_list(depth - 1)]
  defp deep_tuple(0), do: {}
  defp deep_tuple(depth), do: {deep_tuple(depth - 1)}

  defp term(0), do: leaf()
  defp term(depth), do: if(:rand.uniform(3) == 1, do: container(depth - 1), else: leaf())

  defp leaf do
    case :rand.uniform(12) do
      1 -> :rand.uniform(300) - 150
      2 -> random_integer()
      3 -> (:rand.uniform() - 0.5) * :math.pow(10, :rand.uniform(40) - 20)
      4 -> Enum.random(atoms())
      5 -> :rand.bytes(:rand.uniform(80) - 1)
      6 -> :rand.bytes(:rand.uniform(1_000))
      7 -> bit_string()
      8 -> Enum.random(identifiers())
      9 -> make_ref()
      10 -> []
      11 -> for _ <- 1..:rand.uniform(20), do: :rand.uniform(256) - 1
      12 -> String.duplicate("é", :rand.uniform(30))
    end
  end

  defp container(depth) do
    size = :rand.uniform(9) - 1
    elements = for _ <- 1..size//1, do: term(depth)

    case :rand.uniform(5) do
      1 -> elements
      2 -> List.to_tuple(elements)
      3 -> Map.new(elements, &{&1, term(depth)})
      4 -> List.foldr(elements, leaf(), &[&1 | &2])
      5 -> Map.new(elements, &{leaf(), &1})
    end
  end

  defp random_integer do
    bits = :rand.uniform(300)
    <<value::signed-size(bits)>> = random_bits(bits)
    value
  end

  defp bit_string, do: random_bits(:rand.uniform(200))

  defp random_bits(bits) do
    <<value::bitstring-size(bits), _rest::bitstring>> = :rand.bytes(div(bits, 8) + 1)
    value
  end
end
