%% The BEAM side of vs_beam: what serves on the node that is measured, and what drives the load.
%%
%% `serve` is what `har --diagnostics` offers: echo and sink. `drive` reads one command a line from
%% standard input and answers with one line `ok NUMBER...` or `error TEXT`.
-module(load).
-export([serve/0, drive/0]).

serve() ->
    register(echo, spawn(fun echo/0)),
    register(sink, spawn(fun() -> sink(0, 0) end)),
    ok.

echo() ->
    receive
        {From, Term} when is_pid(From) -> From ! {self(), Term};
        _ -> ok
    end,
    echo().

sink(Count, Bytes) ->
    receive
        {From, sync} when is_pid(From) -> From ! {sink, Count, Bytes}, sink(0, 0);
        Binary when is_binary(Binary) -> sink(Count + 1, Bytes + byte_size(Binary));
        _ -> sink(Count + 1, Bytes)
    end.

drive() ->
    io:put_chars("ready\n"),
    commands().

commands() ->
    case io:get_line("") of
        eof ->
            halt();
        Line ->
            {ok, Tokens, _} = erl_scan:string(Line ++ "."),
            {ok, Command} = erl_parse:parse_term(Tokens),
            %% A process for each, so that no garbage or message of one burdens the next.
            {Pid, Ref} = spawn_monitor(fun() -> exit({answer, run(Command)}) end),
            receive
                {'DOWN', Ref, process, Pid, {answer, Numbers}} ->
                    io:format("ok~s~n", [[io_lib:format(" ~w", [N]) || N <- Numbers]]);
                {'DOWN', Ref, process, Pid, Reason} ->
                    io:format("error ~0p~n", [Reason])
            end,
            commands()
    end.

%% Nanoseconds at the median and at 99 of 100.
run({ping_pong, Node, Rounds}) ->
    connect(Node),
    Echo = {echo, Node},
    round_trip(Echo, warm),
    percentiles([round_trip(Echo, {ping, N}) || N <- lists:seq(1, Rounds)]);
%% Messages per second through echo, with a window in flight.
run({pipelined, Node, Messages}) ->
    connect(Node),
    Echo = {echo, Node},
    Window = 1000,
    rate(Messages, fun() ->
        [Echo ! {self(), {ping, N}} || N <- lists:seq(1, Window)],
        pump(Echo, Messages - Window),
        [receive {_, {ping, _}} -> ok end || _ <- lists:seq(1, Window)]
    end);
%% Small messages per second, one way.
run({one_way, Node, Messages}) ->
    connect(Node),
    Sink = {sink, Node},
    sync(Sink),
    rate(Messages, fun() ->
        [Sink ! {message, N, a_word} || N <- lists:seq(1, Messages)],
        {Messages, _} = sync(Sink)
    end);
%% Calls per second; nanoseconds a call at the median and at 99 of 100.
run({calls, What, Node, Callers, Calls}) ->
    connect(Node),
    Call = call(What, Node),
    callers(Callers, Calls, Call);
%% MiB per second of binaries of this size, one way.
run({binaries, Node, Size, Total}) ->
    connect(Node),
    Sink = {sink, Node},
    Binary = binary:copy(<<"x">>, Size),
    Count = max(1, Total div Size),
    sync(Sink),
    [PerSecond] = rate(Count, fun() ->
        [Sink ! Binary || _ <- lists:seq(1, Count)],
        Bytes = Count * Size,
        {Count, Bytes} = sync(Sink)
    end),
    [PerSecond * Size / 1048576];
%% Nanoseconds to connect, at the median and at 99 of 100.
run({connect, Node, Rounds}) ->
    connect(Node),
    percentiles([connect_once(Node) || _ <- lists:seq(1, Rounds)]).

connect(Node) -> true = net_kernel:connect_node(Node).

connect_once(Node) ->
    disconnect(Node),
    Start = erlang:monotonic_time(),
    connect(Node),
    nanoseconds(Start).

disconnect(Node) ->
    monitor_node(Node, true),
    erlang:disconnect_node(Node),
    receive {nodedown, Node} -> ok end.

round_trip(Echo, Term) ->
    Start = erlang:monotonic_time(),
    Echo ! {self(), Term},
    receive {Pid, Term} when is_pid(Pid) -> nanoseconds(Start) end.

pump(_Echo, Left) when Left =< 0 -> ok;
pump(Echo, Left) ->
    receive {_, {ping, N}} -> Echo ! {self(), {ping, N}} end,
    pump(Echo, Left - 1).

sync(Sink) ->
    Sink ! {self(), sync},
    receive {sink, Count, Bytes} -> {Count, Bytes} end.

call(erpc, Node) -> fun() -> Node = erpc:call(Node, erlang, node, []) end;
call(rpc, Node) -> fun() -> Node = rpc:call(Node, erlang, node, []) end;
call(gen_server, Node) ->
    Self = node(),
    fun() -> yes = gen_server:call({net_kernel, Node}, {is_auth, Self}) end.

callers(Callers, Calls, Call) ->
    Each = Calls div Callers,
    Start = erlang:monotonic_time(),
    Started = [spawn_monitor(fun() -> exit({times, [timed(Call) || _ <- lists:seq(1, Each)]}) end)
               || _ <- lists:seq(1, Callers)],
    Times = [receive
                 {'DOWN', Ref, process, Pid, {times, OfOne}} -> OfOne;
                 {'DOWN', Ref, process, Pid, Reason} -> exit(Reason)
             end || {Pid, Ref} <- Started],
    Rate = Each * Callers * 1.0e9 / nanoseconds(Start),
    [Rate | percentiles(lists:append(Times))].

timed(Call) ->
    Start = erlang:monotonic_time(),
    Call(),
    nanoseconds(Start).

rate(Count, Work) ->
    Start = erlang:monotonic_time(),
    Work(),
    [Count * 1.0e9 / nanoseconds(Start)].

nanoseconds(Start) ->
    erlang:convert_time_unit(erlang:monotonic_time() - Start, native, nanosecond).

percentiles(Times) ->
    Sorted = lists:sort(Times),
    Length = length(Sorted),
    [lists:nth(max(1, round(Length * P / 100)), Sorted) || P <- [50, 99]].
