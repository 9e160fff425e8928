defmodule HarTest.Shape do
  @moduledoc "Answers of two nodes made comparable: pids, references and the node's own name are blanked."

  @doc "`term` with each pid, port, reference and fun, and the name `node`, replaced by its kind."
  def of(term, node)
  def of(node, node), do: :"$node"
  def of(pid, _node) when is_pid(pid), do: :"$pid"
  def of(ref, _node) when is_reference(ref), do: :"$reference"
  def of(port, _node) when is_port(port), do: :"$port"
  def of(fun, _node) when is_function(fun), do: :"$fun"
  def of([head | tail], node), do: [of(head, node) | of(tail, node)]
  def of(tuple, node) when is_tuple(tuple), do: List.to_tuple(of(Tuple.to_list(tuple), node))
  def of(map, node) when is_map(map), do: :maps.from_list(of(:maps.to_list(map), node))
  def of(other, _node), do: other

  @doc "Runs `fun` and returns what came of it, raised or not, in one comparable term."
  def outcome(node, fun) do
    of(
      try do
        {:value, fun.()}
      catch
        class, reason -> {class, reason}
      end,
      node
    )
  end
end
