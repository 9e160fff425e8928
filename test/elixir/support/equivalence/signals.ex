defmodule HarTest.Equivalence.Signals do
  @moduledoc "`erpc`, `rpc`, spawns, monitors, links, aliases; see `HarTest.Equivalence`."

  @wait 20_000

  def calls, do: erpc() ++ rpc() ++ spawns() ++ monitors() ++ links() ++ sends()

  # How a call can end, by each of its ways in.
  @endings [
    {"returns", :erlang, :abs, [-1]},
    {"throws", :erlang, :throw, [:ball]},
    {"exits", :erlang, :exit, [:bye]},
    {"exits normal", :erlang, :exit, [:normal]},
    {"exits shutdown", :erlang, :exit, [{:shutdown, 1}]},
    {"fails", :erlang, :error, [:oops]},
    {"fails with arguments", :erlang, :error, [:oops, [1, 2]]},
    {"raises", :erlang, :error, [%RuntimeError{message: "oops"}]},
    {"is badarg", :erlang, :atom_to_list, [1]},
    {"is badarith", :erlang, :/, [1, 0]},
    {"is function_clause", :lists, :reverse, [:no_list]},
    {"is an undefined module", :no_such_module, :f, [1]},
    {"is an undefined function", :lists, :no_such_function, [1]},
    {"has the wrong arity", :lists, :reverse, [1, 2, 3, 4]},
    {"has a module that is no atom", "lists", :reverse, [[]]},
    {"has a function that is no atom", :lists, "reverse", [[]]},
    {"has arguments that are no list", :lists, :reverse, :no_list},
    {"has an improper list of arguments", :lists, :reverse, [1 | 2]}
  ]

  defp erpc do
    for({label, m, f, a} <- @endings, do: {"erpc:call #{label}", &:erpc.call(&1, m, f, a, @wait)}) ++
      for {label, m, f, a} <- @endings, is_atom(m) and is_atom(f) and is_list(a) do
        {"erpc:multicall #{label}", &:erpc.multicall([&1], m, f, a, @wait)}
      end ++
      for {label, m, f, a} <- @endings, is_atom(m) and is_atom(f) and is_list(a) do
        {"erpc:send_request #{label}",
         &:erpc.receive_response(:erpc.send_request(&1, m, f, a), @wait)}
      end ++
      [
        {"erpc:call times out", &:erpc.call(&1, :timer, :sleep, [3_000], 50)},
        {"erpc:call with timeout 0", &:erpc.call(&1, :timer, :sleep, [3_000], 0)},
        {"erpc:call with a bad timeout", &:erpc.call(&1, :erlang, :node, [], :soon)},
        {"erpc:call without a timeout", &:erpc.call(&1, :erlang, :node, [], :infinity)},
        {"erpc:call of an exported fun", &:erpc.call(&1, Function.capture(:erlang, :node, 0))},
        {"erpc:call of a fun of a module not there", &:erpc.call(&1, absent_fun(0))},
        {"erpc:call of what is no fun", &:erpc.call(&1, :no_fun)},
        {"erpc:cast", &:erpc.cast(&1, :erlang, :node, [])},
        {"erpc:cast of undef", &:erpc.cast(&1, :no_such_module, :f, [])},
        {"erpc:cast runs",
         fn node ->
           me = self()
           :erpc.cast(node, :erlang, :send, [me, :ran])
           receive do: (:ran -> :ran)
         end},
        {"erpc:multicast", &:erpc.multicast([&1], :erlang, :node, [])},
        {"erpc:multicall times out", &:erpc.multicall([&1], :timer, :sleep, [3_000], 50)},
        {"erpc:wait_response and no_response",
         fn node ->
           request = :erpc.send_request(node, :timer, :sleep, [200])
           {:erpc.wait_response(request, 0), :erpc.wait_response(request, @wait)}
         end},
        {"erpc:check_response",
         fn node ->
           request = :erpc.send_request(node, :erlang, :abs, [-1])

           receive do
             message -> :erpc.check_response(message, request)
           end
         end},
        {"erpc:call inside erpc:call", &:erpc.call(&1, :rpc, :call, [&1, :erlang, :abs, [-1]])},
        {"erpc:call killed",
         fn node ->
           me = self()
           # The process that runs the call tells its pid, and is killed.
           spawn(fn ->
             receive do: (pid -> Process.exit(pid, :kill))
           end)
           |> then(&send(me, {:killer, &1}))

           killer = receive do: ({:killer, pid} -> pid)
           pid = Node.spawn(node, :timer, :sleep, [:infinity])
           ref = Process.monitor(pid)
           send(killer, pid)
           receive do: ({:DOWN, ^ref, _, _, reason} -> reason)
         end},
        {"Node.ping", &Node.ping/1},
        {"Node.connect", &Node.connect/1},
        {"net_adm:ping", &:net_adm.ping/1}
      ]
  end

  # A fun whose module neither of the asked nodes has.
  defp absent_fun(arity) do
    code = """
    -module(absent_here).
    -export([fun0/0, fun1/0]).
    fun0() -> fun() -> here end.
    fun1() -> fun(X) -> X end.
    """

    {:ok, tokens, _} = :erl_scan.string(String.to_charlist(code))
    forms = forms(tokens, [], [])
    {:ok, module, binary} = :compile.forms(forms)
    {:module, ^module} = :code.load_binary(module, ~c"absent_here", binary)
    apply(module, :"fun#{arity}", [])
  end

  defp forms([], [], done), do: Enum.reverse(done)

  defp forms([{:dot, _} = dot | rest], form, done) do
    {:ok, parsed} = :erl_parse.parse_form(Enum.reverse([dot | form]))
    forms(rest, [], [parsed | done])
  end

  defp forms([token | rest], form, done), do: forms(rest, [token | form], done)

  defp rpc do
    for {label, m, f, a} <- @endings do
      {"rpc:call #{label}", &:rpc.call(&1, m, f, a, @wait)}
    end ++
      [
        {"rpc:call times out", &:rpc.call(&1, :timer, :sleep, [3_000], 50)},
        {"rpc:call with a bad timeout", &:rpc.call(&1, :erlang, :node, [], :soon)},
        {"rpc:cast", &:rpc.cast(&1, :erlang, :node, [])},
        {"rpc:call of a spawn",
         fn node ->
           pid = :rpc.call(node, :erlang, :spawn, [:timer, :sleep, [1]])
           {is_pid(pid), is_pid(pid) and node(pid) == node}
         end}
      ]
  end

  defp spawns do
    for(
      {label, m, f, a} <- @endings,
      is_atom(m) and is_atom(f) and is_list(a) and label != "has an improper list of arguments",
      do: {"spawn_monitor of what #{label}", &spawn_and_wait(&1, m, f, a)}
    ) ++
      [
        {"spawn/2 of a fun of a module not there", &down(Node.spawn(&1, absent_fun(0)))},
        {"spawn_link ends normal",
         fn node ->
           Process.flag(:trap_exit, true)
           pid = Node.spawn_link(node, :erlang, :node, [])
           receive do: ({:EXIT, ^pid, reason} -> reason)
         end},
        {"spawn_link of undef",
         fn node ->
           Process.flag(:trap_exit, true)
           pid = Node.spawn_link(node, :no_such_module, :f, [])
           receive do: ({:EXIT, ^pid, reason} -> reason)
         end},
        {"spawn_request with its forms of reply", &spawn_request(&1, [:monitor], 2)},
        {"spawn_request link",
         fn node ->
           Process.flag(:trap_exit, true)
           spawn_request(node, [:link], 2)
         end},
        {"spawn_request link and monitor",
         fn node ->
           Process.flag(:trap_exit, true)
           spawn_request(node, [:link, :monitor], 3)
         end},
        {"spawn_request with reply_tag", &spawn_request(&1, [:monitor, reply_tag: :mine], 2)},
        {"spawn_request reply no", &spawn_request(&1, [:monitor, reply: :no], 1)},
        {"spawn_request reply error_only", &spawn_request(&1, [:monitor, reply: :error_only], 1)},
        {"spawn_request reply success_only",
         &spawn_request(&1, [:monitor, reply: :success_only], 2)},
        {"spawn_request with a monitor tag", &spawn_request(&1, [monitor: [tag: :mine]], 2)},
        {"spawn_request with an unknown option", &spawn_request(&1, [:no_such_option], 1)},
        {"spawn_request with options of a scheduler",
         &spawn_request(&1, [:monitor, priority: :low, fullsweep_after: 10], 2)},
        {"spawn_request with a bad option", &spawn_request(&1, [:monitor, priority: :odd], 1)},
        {"spawn_request abandoned",
         fn node ->
           ref = :erlang.spawn_request(node, :timer, :sleep, [1], [:monitor])
           receive do: ({:spawn_reply, ^ref, :ok, _} -> :erlang.spawn_request_abandon(ref))
         end},
        {"Node.spawn_monitor",
         fn node ->
           {pid, ref} = Node.spawn_monitor(node, :erlang, :node, [])
           receive do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason)
         end},
        {"proc_lib:spawn", fn node -> down(:proc_lib.spawn(node, :timer, :sleep, [1])) end},
        {"proc_lib:spawn of undef",
         fn node -> down(:proc_lib.spawn(node, :no_such_module, :f, [])) end},
        {"proc_lib:spawn_link of undef",
         fn node ->
           Process.flag(:trap_exit, true)
           pid = :proc_lib.spawn_link(node, :no_such_module, :f, [])
           receive do: ({:EXIT, ^pid, reason} -> reason)
         end}
      ]
  end

  # The reason, or :none when nobody is there any more: which of them is a race.
  defp down(pid) do
    ref = Process.monitor(pid)

    receive do
      {:DOWN, ^ref, :process, _pid, :noproc} -> :ended
      {:DOWN, ^ref, :process, _pid, _reason} -> :ended
    end
  end

  defp spawn_and_wait(node, m, f, a) do
    {pid, ref} = :erlang.spawn_monitor(node, m, f, a)
    receive do: ({:DOWN, ^ref, :process, ^pid, reason} -> reason)
  end

  defp spawn_request(node, options, messages) do
    :erlang.spawn_request(node, :erlang, :node, [], options)

    for _ <- 1..messages do
      receive do
        message -> message
      after
        @wait -> :nothing
      end
    end
  end

  defp monitors do
    [
      {"monitor of a name that nobody has", &monitored({:nobody_of_this_name, &1})},
      {"monitor of a dead pid", &monitored(dead(&1))},
      {"monitor of a pid that never was", &monitored(never(&1))},
      {"monitor of an old incarnation", &monitored(old(&1))},
      {"monitor with a tag",
       fn node ->
         ref = :erlang.monitor(:process, {:nobody_of_this_name, node}, tag: {:mine, 1})
         receive do: ({{:mine, 1}, ^ref, type, item, reason} -> {type, item, reason})
       end},
      {"monitor and exit", &ended_by(&1, :goodbye)},
      {"monitor and kill", &ended_by(&1, :kill)},
      {"monitor and exit normal by another", &survives(&1, :normal)},
      {"monitor and exit with a tuple", &ended_by(&1, {:shutdown, :x})},
      {"demonitor",
       fn node ->
         ref = Process.monitor({:rex, node})
         {Process.demonitor(ref, [:flush, :info]), Process.demonitor(ref, [:info])}
       end},
      {"monitor of a name: its process ends",
       fn node ->
         pid = Node.spawn(node, :timer, :sleep, [:infinity])
         ref = Process.monitor(pid)
         Process.exit(pid, :done)
         receive do: ({:DOWN, ^ref, type, item, reason} -> {type, item == pid, reason})
       end},
      {"ten monitors of one process",
       fn node ->
         pid = Node.spawn(node, :timer, :sleep, [:infinity])
         refs = for _ <- 1..10, do: Process.monitor(pid)
         Process.exit(pid, :done)
         for ref <- refs, do: receive(do: ({:DOWN, ^ref, _, _, reason} -> reason))
       end}
    ]
  end

  defp monitored(item) do
    ref = Process.monitor(item)
    receive do: ({:DOWN, ^ref, type, found, reason} -> {type, found == item, reason})
  end

  defp dead(node) do
    {pid, ref} = :erlang.spawn_monitor(node, :erlang, :node, [])
    receive do: ({:DOWN, ^ref, _, _, _} -> pid)
  end

  # NEW_PID_EXT with a number that no process has; its creation is that of the node.
  defp never(node) do
    <<131, 88, name_and::binary>> = :erlang.term_to_binary(dead(node))
    size = byte_size(name_and) - 12
    <<name::binary-size(size), _id::32, _serial::32, creation::32>> = name_and
    :erlang.binary_to_term(<<131, 88, name::binary, 30_000::32, 4_000::32, creation::32>>)
  end

  defp old(node) do
    <<131, 88, name_and::binary>> = :erlang.term_to_binary(dead(node))
    size = byte_size(name_and) - 12
    <<name::binary-size(size), id::32, serial::32, creation::32>> = name_and
    other = if creation == 1, do: 2, else: creation - 1
    :erlang.binary_to_term(<<131, 88, name::binary, id::32, serial::32, other::32>>)
  end

  defp ended_by(node, reason) do
    pid = Node.spawn(node, :timer, :sleep, [:infinity])
    ref = Process.monitor(pid)
    Process.exit(pid, reason)
    receive do: ({:DOWN, ^ref, :process, ^pid, ended} -> ended)
  end

  defp survives(node, reason) do
    pid = Node.spawn(node, :timer, :sleep, [:infinity])
    Process.exit(pid, reason)
    alive = :erpc.call(node, :erlang, :is_process_alive, [pid])
    Process.exit(pid, :kill)
    alive
  end

  defp links do
    [
      {"link to a dead pid", &linked(dead(&1))},
      {"link to a pid that never was", &linked(never(&1))},
      {"link to an old incarnation", &linked(old(&1))},
      {"link, then it exits",
       fn node ->
         Process.flag(:trap_exit, true)
         pid = Node.spawn(node, :timer, :sleep, [:infinity])
         Process.link(pid)
         Process.exit(pid, :done)
         receive do: ({:EXIT, ^pid, reason} -> reason)
       end},
      {"link, then it is killed",
       fn node ->
         Process.flag(:trap_exit, true)
         pid = Node.spawn(node, :timer, :sleep, [:infinity])
         Process.link(pid)
         Process.exit(pid, :kill)
         receive do: ({:EXIT, ^pid, reason} -> reason)
       end},
      {"unlink, then it exits",
       fn node ->
         Process.flag(:trap_exit, true)
         pid = Node.spawn(node, :timer, :sleep, [:infinity])
         ref = Process.monitor(pid)
         Process.link(pid)
         Process.unlink(pid)
         Process.exit(pid, :done)
         receive do: ({:DOWN, ^ref, _, _, reason} -> {reason, receive_nothing()})
       end},
      {"linked, the caller ends and takes it along",
       fn node ->
         me = self()

         owner =
           spawn(fn ->
             pid = Node.spawn_link(node, :timer, :sleep, [:infinity])
             send(me, {:linked, pid})
             receive do: (:stop -> exit(:stopped))
           end)

         pid = receive do: ({:linked, pid} -> pid)
         ref = Process.monitor(pid)
         send(owner, :stop)
         receive do: ({:DOWN, ^ref, _, _, reason} -> reason)
       end}
    ]
  end

  defp receive_nothing do
    receive do
      message -> message
    after
      0 -> :nothing
    end
  end

  defp linked(pid) do
    Process.flag(:trap_exit, true)
    Process.link(pid)
    receive do: ({:EXIT, ^pid, reason} -> reason)
  end

  defp sends do
    [
      {"send to a name", &send({:rex, &1}, :ignored)},
      {"send to a name that nobody has", &send({:nobody_of_this_name, &1}, :ignored)},
      {"erlang:send noconnect", &:erlang.send({:rex, &1}, :ignored, [:noconnect, :nosuspend])},
      {"send to a dead pid",
       fn node ->
         send(dead(node), :ignored)
         Node.ping(node)
       end},
      {"exit of a dead pid",
       fn node ->
         Process.exit(dead(node), :kill)
         Node.ping(node)
       end},
      {"an alias is answered once",
       fn node ->
         ref = :erlang.monitor(:process, {:rex, node}, alias: :reply_demonitor)
         request = {:block_call, :erlang, :abs, [-1], Process.group_leader()}
         for _ <- 1..2, do: send({:rex, node}, {:"$gen_call", {self(), [:alias | ref]}, request})
         first = receive do: ({[:alias | ^ref], answer} -> answer)
         # A call behind it: what comes by the alias would be here by now.
         1 = :gen_server.call({:rex, node}, request, @wait)
         {first, receive_nothing()}
       end},
      {"an explicit alias is answered until it is given up",
       fn node ->
         ref = :erlang.alias()

         for _ <- 1..2 do
           send({:net_kernel, node}, {:"$gen_call", {self(), [:alias | ref]}, {:is_auth, :me}})
         end

         answers = for _ <- 1..2, do: receive(do: ({[:alias | ^ref], answer} -> answer))
         {answers, :erlang.unalias(ref), :erlang.unalias(ref)}
       end},
      {"100 messages stay in order",
       fn node ->
         me = self()
         for n <- 1..100, do: send({:rex, node}, {self(), {:send, :nobody, n}})
         replies = for _ <- 1..100, do: receive(do: ({:rex, _node, answer} -> answer))
         {length(replies), Enum.uniq(replies), me == self()}
       end}
    ]
  end
end
