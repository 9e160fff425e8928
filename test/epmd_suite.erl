%% Runs OTP's suite for epmd_suite (the script beside this), and dials as a stranger for it.
-module(epmd_suite).
-export([run/1, stranger/0]).

run([Suites, Logs]) ->
    Config = filename:join(Suites, "suite.config"),
    ok = file:write_file(Config, "{ssh_proxy_host, \"a_stranger\"}.\n"),
    Result = ct:run_test([{dir, Suites}, {suite, epmd_SUITE}, {logdir, Logs}, {config, Config}]),
    {Passed, Failed, {Chosen, Forced}} = Result,
    Skipped = Chosen + Forced,
    io:format("~n~b passed, ~b failed, ~b skipped~n", [Passed, Failed, Skipped]),
    halt(case Failed + Skipped of 0 when Passed > 0 -> 0; _ -> 1 end).

%% As `ssh -L FROM:HOST:TO NAME read`, but the far end is this host by its outer address.
stranger() ->
    ["-L", Ports | _] = init:get_plain_arguments(),
    [From, _Host, To] = string:split(Ports, ":", all),
    {ok, Listener} = gen_tcp:listen(list_to_integer(From), [binary, {reuseaddr, true}]),
    spawn_link(fun() -> forward(Listener, outer_address(), list_to_integer(To)) end),
    %% Whoever started this closes its output when it is done.
    Input = open_port({fd, 0, 1}, [eof]),
    receive {Input, eof} -> halt() end.

outer_address() ->
    {ok, Interfaces} = inet:getifaddrs(),
    [Address | _] = [A || {_, Options} <- Interfaces, {addr, A = {First, _, _, _}} <- Options, First =/= 127],
    Address.

forward(Listener, Source, To) ->
    {ok, Near} = gen_tcp:accept(Listener),
    {ok, Far} = gen_tcp:connect({127, 0, 0, 1}, To, [binary, {ip, Source}]),
    pump(Near, Far),
    forward(Listener, Source, To).

pump(Near, Far) ->
    receive
        {tcp, Near, Bytes} -> gen_tcp:send(Far, Bytes), pump(Near, Far);
        {tcp, Far, Bytes} -> gen_tcp:send(Near, Bytes), pump(Near, Far);
        {tcp_closed, _} -> gen_tcp:close(Near), gen_tcp:close(Far)
    end.
