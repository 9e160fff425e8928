defmodule HarTest.Equivalence.Services do
  @moduledoc "The registered servers of every node, asked by message; see `HarTest.Equivalence`."

  alias HarTest.Equivalence

  @wait 20_000

  def calls do
    gen() ++
      rex() ++
      sys() ++ global() ++ pg() ++ pg_monitors() ++ io() ++ supervisors() ++ tasks() ++ logging()
  end

  defp gen do
    [
      {"gen_server:call net_kernel is_auth", &call(&1, :net_kernel, {:is_auth, Node.self()})},
      {"gen_server:call net_kernel longnames", &call(&1, :net_kernel, :longnames)},
      {"GenServer.call of nobody", &GenServer.call({:nobody_of_this_name, &1}, :hello)},
      {"gen_server:call of nobody", &:gen_server.call({:nobody_of_this_name, &1}, :hello)},
      {"gen_server:call of nobody with a timeout",
       &:gen_server.call({:nobody_of_this_name, &1}, :hello, 5_000)},
      {"gen_server:call of a dead pid", &:gen_server.call(dead(&1), :hello)},
      {"gen_server:call that times out",
       &:gen_server.call(Node.spawn(&1, :timer, :sleep, [2_000]), :hello, 50)},
      {"gen_server:call of a process that is killed",
       fn node ->
         pid = Node.spawn(node, :timer, :sleep, [:infinity])
         spawn(fn -> Process.exit(pid, :kill) end)
         :gen_server.call(pid, :hello)
       end},
      {"GenServer.cast of nobody", &GenServer.cast({:nobody_of_this_name, &1}, :hello)},
      {"GenServer.abcast", &GenServer.abcast([&1], :nobody_of_this_name, :hello)},
      {"GenServer.multi_call", &GenServer.multi_call([&1], :net_kernel, {:is_auth, :me}, @wait)},
      {"GenServer.multi_call of nobody",
       &GenServer.multi_call([&1], :nobody_of_this_name, :hello, @wait)},
      {"GenServer.multi_call without a timeout",
       &GenServer.multi_call([&1], :net_kernel, {:is_auth, :me})},
      {"gen_server:send_request and wait_response",
       fn node ->
         request = :gen_server.send_request({:net_kernel, node}, {:is_auth, :me})
         :gen_server.wait_response(request, @wait)
       end},
      {"gen_server:send_request of nobody",
       fn node ->
         request = :gen_server.send_request({:nobody_of_this_name, node}, :hello)
         :gen_server.receive_response(request, @wait)
       end},
      {"GenServer.stop of nobody", &GenServer.stop({:nobody_of_this_name, &1})},
      {"gen:call with a label of one's own",
       &:gen.call({:net_kernel, &1}, :"$gen_call", {:is_auth, :me}, @wait)},
      {"a call with a plain reference as tag",
       fn node ->
         ref = make_ref()
         send({:net_kernel, node}, {:"$gen_call", {self(), ref}, {:is_auth, :me}})
         receive do: ({^ref, answer} -> answer)
       end},
      {"a call with a tuple as tag",
       fn node ->
         send({:net_kernel, node}, {:"$gen_call", {self(), {:tag, 1}}, {:is_auth, :me}})
         receive do: ({{:tag, 1}, answer} -> answer)
       end},
      {"gen_event:which_handlers of nobody", &:gen_event.which_handlers({:nobody_of_this_name, &1})}
    ]
  end

  defp call(node, name, request), do: :gen_server.call({name, node}, request, @wait)

  defp dead(node) do
    {pid, ref} = :erlang.spawn_monitor(node, :erlang, :node, [])
    receive do: ({:DOWN, ^ref, _, _, _} -> pid)
  end

  defp rex do
    [
      {"rpc:block_call", &:rpc.block_call(&1, :erlang, :node, [])},
      {"rpc:block_call with a timeout", &:rpc.block_call(&1, :erlang, :node, [], @wait)},
      {"rpc:block_call of undef", &:rpc.block_call(&1, :no_such_module, :f, [1])},
      {"rpc:block_call that exits", &:rpc.block_call(&1, :erlang, :exit, [:bye])},
      {"rpc:block_call that throws", &:rpc.block_call(&1, :erlang, :throw, [:ball])},
      {"rpc:block_call that fails", &:rpc.block_call(&1, :erlang, :error, [:oops])},
      {"rex: an old call", &rex_plain(&1, {:call, :erlang, :node, [], Process.group_leader()})},
      {"rex: an old call of undef",
       &rex_plain(&1, {:call, :no_such_module, :f, [], Process.group_leader()})},
      {"rex: an old call that exits",
       &rex_plain(&1, {:call, :erlang, :exit, [:bye], Process.group_leader()})},
      {"rex: sbcast to a name", &rex_plain(&1, {:sbcast, :logger, :ignored})},
      {"rex: sbcast to nobody", &rex_plain(&1, {:sbcast, :nobody_of_this_name, :ignored})},
      {"rex: send to nobody", &rex_plain(&1, {:send, :nobody_of_this_name, :ignored})},
      {"rex: call", &call(&1, :rex, {:call, :erlang, :abs, [-1], Process.group_leader()})},
      {"rex: call that throws",
       &call(&1, :rex, {:call, :erlang, :throw, [:ball], Process.group_leader()})},
      {"rex: features_request",
       fn node ->
         send({:rex, node}, {self(), :features_request})
         receive do: ({:features_reply, of, features} -> {of, Enum.member?(features, :erpc)})
       end},
      {"rpc:server_call of nobody", &:rpc.server_call(&1, :nobody_of_this_name, :wrapped, :hello)},
      {"rpc:abcast", &:rpc.abcast([&1], :nobody_of_this_name, :hello)},
      {"rpc:sbcast", &:rpc.sbcast([&1], :logger, :hello)},
      {"rpc:sbcast of nobody", &:rpc.sbcast([&1], :nobody_of_this_name, :hello)},
      {"rpc:eval_everywhere", &:rpc.eval_everywhere([&1], :erlang, :node, [])},
      {"rpc:multicall", &:rpc.multicall([&1], :erlang, :abs, [-1])},
      {"rpc:multicall of undef", &:rpc.multicall([&1], :no_such_module, :f, [])},
      {"rpc:multi_server_call", &:rpc.multi_server_call([&1], :nobody_of_this_name, :hello)},
      {"rpc:pinfo", &:rpc.pinfo(Equivalence.pid_of(&1, :rex), :registered_name)},
      {"rpc:async_call and yield",
       fn node -> :rpc.yield(:rpc.async_call(node, :erlang, :abs, [-1])) end},
      {"rpc:nb_yield",
       fn node ->
         :rpc.nb_yield(:rpc.async_call(node, :erlang, :abs, [-1]), @wait)
       end},
      {"rpc:parallel_eval", fn _node -> :rpc.parallel_eval([{:erlang, :abs, [-1]}]) end}
    ]
  end

  defp rex_plain(node, request) do
    send({:rex, node}, {self(), request})

    receive do
      {:rex, answer} -> answer
      {:rex, of, answer} -> {of, answer}
    end
  end

  defp sys do
    on_spawned =
      for {label, ask} <- [
            {"get_state", &:sys.get_state(&1, @wait)},
            {"get_status",
             fn pid ->
               {:status, _pid, {:module, _module}, [_dictionary, mode, parent | _]} =
                 :sys.get_status(pid, @wait)

               {mode, is_pid(parent)}
             end},
            {"suspend and resume",
             fn pid ->
               :ok = :sys.suspend(pid, @wait)
               {:status, _, _, [_, mode | _]} = :sys.get_status(pid, @wait)
               {mode, :sys.resume(pid, @wait)}
             end},
            {"no_debug", &:sys.no_debug(&1, @wait)},
            {"trace", &:sys.trace(&1, false, @wait)},
            {"statistics", &:sys.statistics(&1, :get, @wait)},
            {"log", &:sys.log(&1, :get, @wait)},
            {"an unknown system message",
             fn pid ->
               ref = make_ref()
               send(pid, {:system, {self(), ref}, :no_such_request})
               receive do: ({^ref, answer} -> answer)
             end}
          ],
          do: {"sys: #{label}", fn node -> ask.(Equivalence.pid_of(node, :kernel_safe_sup)) end}

    on_spawned ++
      [
        {"sys: get_state of nobody", &:sys.get_state({:nobody_of_this_name, &1}, @wait)},
        {"sys: get_state of a dead pid", &:sys.get_state(dead(&1), @wait)},
        {"sys: terminate of nobody", &:sys.terminate({:nobody_of_this_name, &1}, :normal, @wait)},
        {"sys: replace_state with a fun of this node",
         fn node ->
           :sys.replace_state({:kernel_safe_sup, node}, fn state -> state end, @wait)
         end}
      ]
  end

  defp global do
    [
      {:global, :whereis_name, [:nobody_of_this_name]},
      {:global, :registered_names, []},
      {"global:register_name here is seen there",
       fn node ->
         name = {:equivalence, node}
         :yes = :global.register_name(name, self())
         seen = :erpc.call(node, :global, :whereis_name, [name]) == self()
         names = :erpc.call(node, :global, :registered_names, [])
         again = :global.register_name(name, self())
         :global.unregister_name(name)
         {seen, names, again, :erpc.call(node, :global, :whereis_name, [name])}
       end},
      {"global:send of nobody", &:erpc.call(&1, :global, :send, [:nobody_of_this_name, :hello])},
      {"global:send",
       fn node ->
         :yes = :global.register_name({:sent, node}, self())
         :erpc.call(node, :global, :send, [{:sent, node}, :hello])
         answer = receive do: (:hello -> :arrived)
         :global.unregister_name({:sent, node})
         answer
       end},
      {"global:trans over it",
       &:global.trans({:equivalence_lock, self()}, fn -> :done end, [&1, Node.self()], 5)},
      {"global:set_lock twice and del_lock",
       fn node ->
         id = {:equivalence_lock, self()}
         both = {:global.set_lock(id, [node], 0), :global.set_lock(id, [node], 0)}
         {both, :global.del_lock(id, [node])}
       end},
      {"global:set_lock of another is refused",
       fn node ->
         true = :global.set_lock({:equivalence_lock, self()}, [node], 0)
         other = :global.set_lock({:equivalence_lock, :other}, [node], 0)
         :global.del_lock({:equivalence_lock, self()}, [node])
         other
       end},
      {"gen_server:call global_name_server get_known", &call(&1, :global_name_server, :get_known),
       :sorted}
    ]
  end

  defp pg do
    [
      {:pg, :get_members, [:no_such_group]},
      {:pg, :get_local_members, [:no_such_group]},
      {:pg, :which_groups, []},
      {:pg, :get_members, [:no_such_scope, :no_such_group]},
      {:pg, :which_local_groups, []},
      {"pg:join here is seen there",
       fn node ->
         HarTest.Remote.start_pg()
         :ok = :pg.join({:equivalence, node}, self())
         members = until(node, {:equivalence, node}, [self()])
         :ok = :pg.leave({:equivalence, node}, self())
         {members == [self()], until(node, {:equivalence, node}, [])}
       end},
      {"pg:join there is seen here",
       fn node ->
         HarTest.Remote.start_pg()
         pid = Node.spawn(node, :timer, :sleep, [:infinity])
         :ok = :erpc.call(node, :pg, :join, [{:there, node}, pid])
         HarTest.Wait.until("it joined", fn -> :pg.get_members({:there, node}) == [pid] end)
         left = :erpc.call(node, :pg, :leave, [{:there, node}, pid])
         HarTest.Wait.until("it left", fn -> :pg.get_members({:there, node}) == [] end)
         Process.exit(pid, :kill)
         {left, :erpc.call(node, :pg, :leave, [{:there, node}, pid])}
       end},
      {"pg:join there of a process elsewhere", &:erpc.call(&1, :pg, :join, [:equivalence, self()])}
    ]
  end

  # The requests behind `pg:monitor/2`; later releases have another server, which ends of them.
  defp pg_monitors do
    if HarTest.otp() >= 28,
      do: [],
      else: [
        {"pg:monitor of a scope there, by its server",
         fn node ->
           HarTest.Remote.start_pg()
           {ref, groups} = :gen_server.call({:pg, node}, :monitor, @wait)
           :ok = :pg.join({:watched, node}, self())
           joined = receive do: ({^ref, :join, group, pids} -> {group, pids})
           :ok = :pg.leave({:watched, node}, self())
           left = receive do: ({^ref, :leave, group, pids} -> {group, pids})
           answers = for _ <- 1..2, do: :gen_server.call({:pg, node}, {:demonitor, ref}, @wait)
           {is_map(groups), joined, left, answers}
         end},
        {"pg:monitor of a group there, by its server",
         fn node ->
           HarTest.Remote.start_pg()
           {ref, members} = :gen_server.call({:pg, node}, {:monitor, {:watched, node}}, @wait)
           for group <- [:other, {:watched, node}], do: :ok = :pg.join(group, self())
           joined = receive do: ({^ref, change, group, pids} -> {change, group, pids})
           for group <- [:other, {:watched, node}], do: :ok = :pg.leave(group, self())
           left = receive do: ({^ref, change, group, pids} -> {change, group, pids})
           {members, joined, left, :gen_server.call({:pg, node}, {:demonitor, ref}, @wait)}
         end}
      ]
  end

  defp until(node, group, wanted) do
    HarTest.Wait.until("#{node} saw it", fn ->
      :erpc.call(node, :pg, :get_members, [group]) == wanted
    end)

    wanted
  end

  defp io do
    for {label, request} <- [
          {"put_chars", {:put_chars, :unicode, "hello\n"}},
          {"put_chars latin1", {:put_chars, :latin1, ~c"hello\n"}},
          {"put_chars without an encoding", {:put_chars, ~c"hello\n"}},
          {"put_chars of a format", {:put_chars, :unicode, :io_lib, :format, [~c"~p~n", [:hi]]}},
          {"put_chars of what is no text", {:put_chars, :unicode, {:no, :text}}},
          {"put_chars of an undefined function", {:put_chars, :unicode, :no_such_module, :f, []}},
          {"get_line at the end of input", {:get_line, :unicode, ~c"> "}},
          {"get_chars at the end of input", {:get_chars, :unicode, ~c"> ", 3}},
          {"get_geometry", {:get_geometry, :columns}},
          {"setopts of an unknown option", {:setopts, [:no_such_option]}},
          {"requests", {:requests, [{:put_chars, :unicode, "a"}, {:put_chars, :unicode, "b\n"}]}},
          {"requests with a wrong one", {:requests, [:strange, {:put_chars, :unicode, "b\n"}]}},
          {"an unknown request", :strange},
          {"an unknown tuple", {:strange, 1, 2, 3}}
        ],
        # From OTP 28 on it ends of what it does not know.
        HarTest.otp() < 28 or not (label =~ "wrong" or label =~ "unknown") do
      {"user: #{label}",
       fn node ->
         ref = make_ref()
         send({:user, node}, {:io_request, self(), ref, request})
         receive do: ({:io_reply, ^ref, answer} -> answer)
       end}
    end ++
      [
        {"output goes to the caller's group leader",
         fn node ->
           {:ok, leader} = StringIO.open("")
           Process.group_leader(self(), leader)

           answers = [
             :erpc.call(node, :io, :format, [~c"~p ~s~n", [:a, "b"]]),
             :erpc.call(node, :io, :put_chars, ["c\n"]),
             :erpc.call(node, :io, :nl, []),
             :erpc.call(node, IO, :puts, ["d"]),
             :erpc.call(node, IO, :inspect, [[:e]])
           ]

           {answers, StringIO.contents(leader)}
         end},
        {"io:format with too few arguments",
         fn node ->
           {:ok, leader} = StringIO.open("")
           Process.group_leader(self(), leader)
           :rpc.call(node, :io, :put_chars, [:no_text])
         end}
      ]
  end

  defp supervisors do
    for name <- [HAR.TaskSupervisor, :kernel_safe_sup],
        {label, ask} <- [
          {"which_children", &Enum.uniq(for {_, _, type, _} <- ask(&1, :which_children), do: type)},
          {"count_children", &Enum.map(ask(&1, :count_children), fn {key, _} -> key end)},
          {"terminate_child of nobody", &ask(&1, {:terminate_child, :nobody})},
          {"restart_child of nobody", &ask(&1, {:restart_child, :nobody})},
          {"delete_child of nobody", &ask(&1, {:delete_child, :nobody})},
          {"get_childspec of nobody", &ask(&1, {:get_childspec, :nobody})}
        ],
        not (name == HAR.TaskSupervisor and label =~ "nobody") do
      {"supervisor #{inspect(name)}: #{label}", fn node -> ask.({name, node}) end}
    end ++
      [
        {"supervisor:which_children of nobody", &:supervisor.which_children({:nobody, &1})},
        {"supervisor:start_child of what is no spec",
         &:supervisor.start_child({:kernel_safe_sup, &1}, :no_spec)}
      ]
  end

  defp ask(supervisor, request), do: :gen_server.call(supervisor, request, @wait)

  defp tasks do
    supervisor = fn node -> {HAR.TaskSupervisor, node} end

    [
      {"Task.Supervisor.async",
       &Task.await(Task.Supervisor.async(supervisor.(&1), :erlang, :abs, [-1]), @wait)},
      {"Task.Supervisor.async of a captured function",
       fn node ->
         task = Task.Supervisor.async(supervisor.(node), Function.capture(:erlang, :node, 0))
         Task.await(task, @wait)
       end},
      {"Task.Supervisor.async_nolink that exits", &nolink(supervisor.(&1), :exit, [:bye])},
      {"Task.Supervisor.async_nolink that fails", &nolink(supervisor.(&1), :error, [:oops])},
      {"Task.Supervisor.async_nolink that throws", &nolink(supervisor.(&1), :throw, [:ball])},
      {"Task.Supervisor.async_nolink and yield",
       fn node ->
         task = Task.Supervisor.async_nolink(supervisor.(node), :timer, :sleep, [10_000])
         {Task.yield(task, 20), Task.shutdown(task)}
       end},
      {"Task.Supervisor.async_nolink and a brutal end",
       fn node ->
         task = Task.Supervisor.async_nolink(supervisor.(node), :timer, :sleep, [10_000])
         Task.shutdown(task, :brutal_kill)
       end},
      {"Task.Supervisor.async_stream",
       &Enum.to_list(Task.Supervisor.async_stream(supervisor.(&1), [-1, -2], :erlang, :abs, []))},
      {"Task.Supervisor.async_stream with max_concurrency and timeout",
       fn node ->
         options = [max_concurrency: 2, timeout: 100, on_timeout: :kill_task]
         times = [1, 5_000, 1]

         supervisor.(node)
         |> Task.Supervisor.async_stream(times, :timer, :sleep, [], options)
         |> Enum.to_list()
       end},
      {"Task.Supervisor.start_child",
       &elem(Task.Supervisor.start_child(supervisor.(&1), :erlang, :abs, [-1]), 0)},
      {"Task.Supervisor.start_child that is transient comes back until it ends well",
       fn node ->
         supervisor = supervisor.(node)
         args = [supervisor, :timer, :sleep, [:infinity], [restart: :transient]]
         {:ok, pid} = apply(Task.Supervisor, :start_child, args)
         Process.exit(pid, :kill)
         again = another(supervisor, pid)
         Process.exit(again, :shutdown)
         HarTest.Wait.until("it ended", fn -> Task.Supervisor.children(supervisor) == [] end)
         :gone
       end},
      {"DynamicSupervisor.start_child of a task",
       fn node ->
         child = {Task, Function.capture(:erlang, :node, 0)}
         elem(DynamicSupervisor.start_child(supervisor.(node), child), 0)
       end},
      {"DynamicSupervisor.start_child and terminate_child",
       fn node ->
         start = {Task, :start_link, [:timer, :sleep, [:infinity]]}
         child = %{id: 1, start: start, restart: :temporary}
         {:ok, pid} = DynamicSupervisor.start_child(supervisor.(node), child)
         there = pid in Task.Supervisor.children(supervisor.(node))
         {there, DynamicSupervisor.terminate_child(supervisor.(node), pid)}
       end},
      {"DynamicSupervisor.start_child that is permanent comes back",
       fn node ->
         start = {Task, :start_link, [:timer, :sleep, [:infinity]]}
         supervisor = supervisor.(node)
         {:ok, pid} = DynamicSupervisor.start_child(supervisor, %{id: 1, start: start})
         Process.exit(pid, :kill)
         again = another(supervisor, pid)
         DynamicSupervisor.terminate_child(supervisor, again)
       end},
      {"Task.Supervisor.children and terminate_child",
       fn node ->
         supervisor = supervisor.(node)
         {:ok, pid} = Task.Supervisor.start_child(supervisor, :timer, :sleep, [:infinity])
         there = pid in Task.Supervisor.children(supervisor)
         ended = Task.Supervisor.terminate_child(supervisor, pid)
         gone = pid not in Task.Supervisor.children(supervisor)
         {there, ended, gone, Task.Supervisor.terminate_child(supervisor, pid)}
       end},
      {"a task's dictionary has its callers",
       fn node ->
         task = Task.Supervisor.async(supervisor.(node), :erlang, :get, [])
         value = Task.await(task, @wait)
         {value[:"$callers"] == [self()], Enum.sort(Keyword.keys(value))}
       end},
      {"DynamicSupervisor.count_children", &DynamicSupervisor.count_children(supervisor.(&1))},
      {"DynamicSupervisor.start_child of what can't be called",
       fn node ->
         spec = %{id: 1, start: {:no_such_module, :start_link, []}}
         DynamicSupervisor.start_child(supervisor.(node), spec)
       end}
    ]
  end

  # The only task, when it is another than `pid`.
  defp another(supervisor, pid) do
    HarTest.Wait.until("it came back", fn ->
      case Task.Supervisor.children(supervisor) do
        [one] when one != pid -> one
        _none_yet -> nil
      end
    end)
  end

  defp nolink(supervisor, function, args) do
    task = Task.Supervisor.async_nolink(supervisor, :erlang, function, args)
    ref = task.ref
    receive do: ({:DOWN, ^ref, :process, _pid, reason} -> reason)
  end

  defp logging do
    [
      {"logger:log there", &:erpc.call(&1, :logger, :log, [:info, ~c"hello"])},
      {"a log event to logger_proxy is taken",
       fn node ->
         send({:logger, node}, {:log, :info, ~c"hello ~p", [1], %{gl: self()}})
         Node.ping(node)
       end}
    ]
  end
end
