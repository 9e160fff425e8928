defmodule HarTest.Equivalence.Node do
  @moduledoc "The node, its processes and names; see `HarTest.Equivalence`."

  def calls, do: own_node() ++ processes() ++ process_info() ++ elixir() ++ net() ++ dangerous()

  defp own_node do
    [
      {:erlang, :node, []},
      {:erlang, :node, [{:"$pid", :rex}]},
      {:erlang, :node, [:rex]},
      {:erlang, :nodes, [], :sorted},
      {:erlang, :nodes, [:visible], :sorted},
      {:erlang, :nodes, [:connected], :sorted},
      {:erlang, :nodes, [:hidden]},
      {:erlang, :nodes, [:known], :sorted},
      {:erlang, :nodes, [:this]},
      {:erlang, :nodes, [[:this, :visible]], :sorted},
      {:erlang, :nodes, [:strange]},
      {:erlang, :is_alive, []},
      {:erlang, :get_cookie, []},
      {:erlang, :self, []},
      {:erlang, :make_ref, []},
      {:erlang, :group_leader, []},
      {:erlang, :register, [:no_pid, :x]},
      {:erlang, :unregister, [:nobody_of_this_name]},
      {:erlang, :monitor_node, [:"$node", true]},
      {:erlang, :disconnect_node, [:"nobody@127.0.0.1"]}
    ]
  end

  defp processes do
    [
      {:erlang, :processes, [], :kinds},
      {:erlang, :registered, [], :modules},
      {:erlang, :whereis, [:rex]},
      {:erlang, :whereis, [:net_kernel]},
      {:erlang, :whereis, [:global_name_server]},
      {:erlang, :whereis, [:user]},
      {:erlang, :whereis, [:logger]},
      {:erlang, :whereis, [:kernel_sup]},
      {:erlang, :whereis, [:kernel_safe_sup]},
      {:erlang, :whereis, [:init]},
      {:erlang, :whereis, [:code_server]},
      {:erlang, :whereis, [:application_controller]},
      {:erlang, :whereis, [:erl_prim_loader]},
      {:erlang, :whereis, [:global_group]},
      {:erlang, :whereis, [:auth]},
      {:erlang, :whereis, [:nobody_of_this_name]},
      {:erlang, :whereis, ["rex"]},
      {:erlang, :is_process_alive, [{:"$pid", :rex}]},
      {:erlang, :is_process_alive, [:rex]},
      {"is_process_alive of a process elsewhere",
       &:erpc.call(&1, :erlang, :is_process_alive, [self()])},
      {"is_process_alive of a process that ended",
       fn node ->
         {pid, ref} = :erlang.spawn_monitor(node, :erlang, :node, [])
         receive do: ({:DOWN, ^ref, _, _, _} -> :erpc.call(node, :erlang, :is_process_alive, [pid]))
       end},
      {:erlang, :send, [:nobody_of_this_name, :hello]},
      {:erlang, :send, [:sink_of_nobody, :hello, []]},
      {:erlang, :send, [{:"$pid", :rex}, :hello]},
      {:erlang, :send, [{:"$pid", :rex}, :hello, [:noconnect]]},
      {:erlang, :send, [1, :hello]},
      {:erlang, :!, [{:"$pid", :rex}, :hello]},
      {:erlang, :apply, [:erlang, :node, []]},
      {:erlang, :apply, [:erlang, :node, :x]},
      {:erlang, :apply, [&:erlang.abs/1, [-1]]},
      {:erlang, :apply, [&:erlang.abs/1, [-1, 2]]},
      {:erlang, :apply, [:no_fun, []]},
      {:erlang, :apply, [:no_such_module, :f, [1]]},
      {:erlang, :put, [:key, 1]},
      {:erlang, :get, [:key]},
      {:erlang, :get, []},
      {:erlang, :erase, [:key]},
      {:erlang, :process_flag, [:trap_exit, true]},
      {:erlang, :process_flag, [:priority, :high]},
      {:erlang, :process_flag, [:no_such_flag, 1]},
      {:erlang, :garbage_collect, []},
      {:erlang, :garbage_collect, [{:"$pid", :rex}]},
      {:erlang, :yield, []},
      {:erlang, :demonitor, [:x]}
    ]
  end

  defp process_info do
    plain = ~w(registered_name status trap_exit priority message_queue_len error_handler
      suspending current_function initial_call messages message_queue_data catchlevel
      sequential_trace_token group_leader dictionary links monitored_by monitors no_such_item)a
    measured = ~w(memory heap_size total_heap_size stack_size reductions)a
    pid = {:"$pid", :rex}

    for(item <- plain, do: {:erlang, :process_info, [pid, item]}) ++
      for(item <- measured, do: {:erlang, :process_info, [pid, item], :measured}) ++
      [
        {:erlang, :process_info, [pid, [:registered_name, :status]]},
        {:erlang, :process_info, [pid, []]},
        {:erlang, :process_info, [pid, [:no_such_item]]},
        {:erlang, :process_info, [pid, "status"]},
        {:erlang, :process_info, [:rex]},
        {:erlang, :process_info, [:rex, :status]},
        {"the items of process_info/1",
         fn node ->
           pid = HarTest.Equivalence.pid_of(node, :rex)
           Keyword.keys(:erpc.call(node, :erlang, :process_info, [pid]))
         end},
        {"process_info of a process elsewhere",
         &:erpc.call(&1, :erlang, :process_info, [self(), :status])},
        {"process_info of a process that ended",
         fn node ->
           {pid, ref} = :erlang.spawn_monitor(node, :erlang, :node, [])

           receive do
             {:DOWN, ^ref, _, _, _} -> :erpc.call(node, :erlang, :process_info, [pid, :status])
           end
         end},
        {"process_info of a spawned process",
         fn node ->
           pid = Node.spawn(node, :timer, :sleep, [:infinity])
           items = [:registered_name, :initial_call, :message_queue_len, :links, :trap_exit]
           info = :erpc.call(node, :erlang, :process_info, [pid, items])
           Process.exit(pid, :kill)
           info
         end},
        {"process_info tells waiting messages",
         fn node ->
           pid = Node.spawn(node, :timer, :sleep, [:infinity])
           for n <- 1..3, do: send(pid, n)
           info = :erpc.call(node, :erlang, :process_info, [pid, :message_queue_len])
           Process.exit(pid, :kill)
           info
         end},
        {"process_info tells links and monitors",
         fn node ->
           pid = Node.spawn_link(node, :timer, :sleep, [:infinity])
           Process.monitor(pid)
           info = :erpc.call(node, :erlang, :process_info, [pid, [:links, :monitored_by]])
           Process.unlink(pid)
           Process.exit(pid, :kill)
           info
         end}
      ]
  end

  defp elixir do
    [
      {Node, :self, []},
      {Node, :alive?, []},
      {Node, :list, [], :sorted},
      {Node, :list, [:connected], :sorted},
      {Node, :list, [:strange]},
      {Node, :ping, [:"nobody@127.0.0.1"]},
      {Node, :connect, [:"nobody@127.0.0.1"]},
      {Node, :disconnect, [:"nobody@127.0.0.1"]},
      {Kernel, :node, []},
      {Kernel, :node, [{:"$pid", :rex}]},
      {Kernel, :self, []},
      {Kernel, :send, [:nobody_of_this_name, 1]},
      {Kernel, :apply, [:erlang, :node, []]},
      {Process, :alive?, [{:"$pid", :rex}]},
      {Process, :list, [], :kinds},
      {Process, :registered, [], :modules},
      {Process, :whereis, [:rex]},
      {Process, :whereis, [:nobody_of_this_name]},
      {Process, :info, [{:"$pid", :rex}, :status]},
      {Process, :info, [{:"$pid", :rex}, [:status]]},
      {Process, :sleep, [1]},
      {GenServer, :whereis, [:rex]},
      {GenServer, :whereis, [:nobody_of_this_name]}
    ]
  end

  defp net do
    [
      {:net_kernel, :nodename, []},
      {:net_kernel, :longnames, []},
      {:net_kernel, :get_net_ticktime, []},
      {:net_kernel, :get_state, []},
      {:net_kernel, :connect_node, [:"nobody@127.0.0.1"]},
      {:net_kernel, :connect_node, [:"$node"]},
      {:net_kernel, :hidden_connect_node, [:"nobody@127.0.0.1"]},
      {:net_kernel, :monitor_nodes, [true]},
      {:net_kernel, :start, [[:"again@127.0.0.1", :longnames]]},
      {:net_adm, :ping, [:"nobody@127.0.0.1"]},
      {:net_adm, :ping, [:"$node"]},
      {:net_adm, :localhost, []},
      {"net_kernel:connect_node of the caller",
       &:erpc.call(&1, :net_kernel, :connect_node, [Node.self()])},
      {"net_adm:ping of the caller", &:erpc.call(&1, :net_adm, :ping, [Node.self()])},
      {"net_adm:names", &elem(:erpc.call(&1, :net_adm, :names, []), 0)},
      {"net_kernel:node_info of the caller",
       fn node ->
         case :erpc.call(node, :net_kernel, :node_info, [Node.self()]) do
           {:ok, info} -> Enum.sort(for {key, _} <- info, do: key)
           other -> other
         end
       end},
      {:net_kernel, :node_info, [:"nobody@127.0.0.1"]},
      {"net_kernel:nodes_info",
       fn node ->
         {:ok, all} = :erpc.call(node, :net_kernel, :nodes_info, [])
         for {of, _info} <- all, do: of
       end, :sorted}
    ]
  end

  # What `har` refuses because a peer has no business doing it. Only what a BEAM survives.
  defp dangerous do
    [
      {:erlang, :set_cookie, [:"nobody@127.0.0.1", :other]},
      {Node, :get_cookie, []}
    ]
  end
end
