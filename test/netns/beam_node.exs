# A BEAM that takes part in `route_all`: a HAR.TaskSupervisor and a router, as an Elixir HAR has them.
defmodule HAR.ControlPlane.Router do
  def route_batch(operations, _options \\ []) do
    for operation <- operations do
      {:ok,
       %{
         __struct__: HAR.ControlPlane.RoutingDecision,
         operation: operation,
         backend: %{name: "beam", type: :local, priority: 1, capabilities: [], metadata: %{}},
         alternatives: [],
         reason: :pattern_match,
         timestamp: nil
       }}
    end
  end
end

{:ok, _} = Supervisor.start_link([{Task.Supervisor, name: HAR.TaskSupervisor}], strategy: :one_for_one)
IO.puts("ready")
Process.sleep(:infinity)
