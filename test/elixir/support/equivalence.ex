defmodule HarTest.Equivalence do
  @moduledoc """
  The same calls made to a BEAM and to a `har` node, from this one, and compared.

  Of stack frames the file and line are blanked, too: `har` has no Erlang source.

  A call is `{module, function, arguments}`, made by `:erpc`, or `{label, fun}` with a fun of the
  node; a third or fourth element says what is blanked besides pids, references, ports, funs and
  node names:

    * `:measured` - numbers: times, counts, sizes
    * `:sorted` - the order of the list
    * `:kinds` - how often each kind of element is in the list, and the order
    * `:modules` - which modules (atoms) are named

  In arguments `:"$node"` stands for the asked node's name and `{:"$pid", name}` for the process
  that has that name there.

  `docs/differences.md` names the calls whose outcomes differ, one a line that starts with
  "- `call`"; an `(OTP 25)` or `(OTP 26+)` behind it limits the line to these releases.
  """

  alias HarTest.Equivalence.{Kernel, Node, Services, Signals, Values}

  @lists [Values, Kernel, Node, Services, Signals]

  @doc "All calls as `{label, fun of the node, what is blanked}`; labels are unique."
  def calls, do: Enum.flat_map(@lists, fn list -> Enum.map(list.calls(), &call/1) end)

  defp call({label, fun}) when is_binary(label), do: {label, fun, nil}
  defp call({label, fun, blanked}) when is_binary(label), do: {label, fun, blanked}
  defp call({module, function, args}), do: call({module, function, args, nil})

  defp call({module, function, args, blanked}) do
    {label(module, function, args), &erpc(&1, module, function, args), blanked}
  end

  defp label(module, function, args) do
    shown = Enum.map_join(args, ",", &:io_lib.format(~c"~0tp", [&1]))
    IO.chardata_to_string(:io_lib.format(~c"~0tp:~0tp(~ts)", [module, function, shown]))
  end

  @doc "Calls a function there, with the placeholders of `args` filled in."
  def erpc(node, module, function, args) do
    :erpc.call(node, module, function, fill(args, node), 20_000)
  end

  @doc "The process that has this name on that node."
  def pid_of(node, name), do: :erpc.call(node, :erlang, :whereis, [name], 20_000)

  defp fill(:"$node", node), do: node
  defp fill({:"$pid", name}, node), do: pid_of(node, name)
  defp fill([head | tail], node), do: [fill(head, node) | fill(tail, node)]

  defp fill(tuple, node) when is_tuple(tuple),
    do: tuple |> Tuple.to_list() |> fill(node) |> List.to_tuple()

  defp fill(other, _node), do: other

  @doc """
  What a call gives on that node, comparable: it runs in a process of its own, so that what one
  leaves behind (messages, links) is not there for the next.
  """
  def outcome(fun, node, nodes, blanked) do
    {pid, ref} =
      spawn_monitor(fn ->
        came =
          try do
            {:value, fun.(node)}
          catch
            class, reason -> {class, reason}
          end

        exit({:came, came})
      end)

    receive do
      {:DOWN, ^ref, :process, ^pid, {:came, came}} -> blank(came, node, nodes, blanked)
      {:DOWN, ^ref, :process, ^pid, reason} -> blank({:ended, reason}, node, nodes, blanked)
    after
      60_000 ->
        Process.exit(pid, :kill)
        :no_outcome
    end
  end

  defp blank({class, came}, node, nodes, blanked) do
    {class, came |> HarTest.Shape.of(node) |> names(nodes) |> frames() |> more(blanked)}
  end

  # A stack frame without the file and line of the BEAM's own source.
  defp frames({m, f, a, location}) when is_atom(m) and is_atom(f) and is_list(location) do
    if Enum.all?(location, &match?({key, _} when is_atom(key), &1)),
      do: {m, f, frames(a), Keyword.drop(location, [:file, :line])},
      else: {m, f, frames(a), frames(location)}
  end

  defp frames([head | tail]), do: [frames(head) | frames(tail)]

  defp frames(tuple) when is_tuple(tuple),
    do: tuple |> Tuple.to_list() |> frames() |> List.to_tuple()

  defp frames(other), do: other

  defp names(atom, nodes) when is_atom(atom), do: if(atom in nodes, do: :"$peer", else: atom)
  defp names([head | tail], nodes), do: [names(head, nodes) | names(tail, nodes)]

  defp names(tuple, nodes) when is_tuple(tuple),
    do: tuple |> Tuple.to_list() |> names(nodes) |> List.to_tuple()

  defp names(map, nodes) when is_map(map),
    do: map |> :maps.to_list() |> names(nodes) |> :maps.from_list()

  defp names(other, _nodes), do: other

  defp more(came, nil), do: came
  defp more(came, :measured), do: numbers(came)
  defp more(came, :sorted) when is_list(came), do: Enum.sort(came)
  defp more(came, :kinds) when is_list(came), do: came |> numbers() |> Enum.uniq() |> Enum.sort()
  defp more(came, :modules), do: modules(came)
  defp more(came, _sorted_or_kinds), do: came

  defp numbers(number) when is_number(number), do: :"$number"
  defp numbers([head | tail]), do: [numbers(head) | numbers(tail)]

  defp numbers(tuple) when is_tuple(tuple),
    do: tuple |> Tuple.to_list() |> numbers() |> List.to_tuple()

  defp numbers(map) when is_map(map), do: map |> :maps.to_list() |> numbers() |> :maps.from_list()
  defp numbers(other), do: other

  defp modules(list) when is_list(list), do: list |> Enum.map(&modules/1) |> Enum.uniq()
  defp modules(tuple) when is_tuple(tuple), do: {:"$module", tuple_size(tuple)}
  defp modules(atom) when is_atom(atom), do: :"$module"
  defp modules(other), do: other

  @doc "The labels that the document lists for OTP `release`, in order."
  def listed(document, release) do
    for line <- String.split(document, "\n"),
        [_all, label | limit] <- [Regex.run(~r/^- `(.+?)`(?: \(OTP (\d+\+?)\))?/, line)],
        applies?(limit, release),
        do: label
  end

  defp applies?([], _release), do: true

  defp applies?([limit], release) do
    case Integer.parse(limit) do
      {from, "+"} -> release >= from
      {only, ""} -> release == only
    end
  end
end
