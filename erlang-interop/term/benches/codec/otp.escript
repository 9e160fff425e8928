#!/usr/bin/env escript
%% -*- erlang -*-
%%! -noinput -start_epmd false
%% Times OTP's own codec. Requests and answers are packets of external terms on stdin and stdout:
%% {decode | encode | iovec | read_key, Binary, Repetitions} gives the nanoseconds of all repetitions.
-mode(compile).

main(_) ->
    Port = open_port({fd, 0, 1}, [{packet, 4}, binary, eof]),
    loop(Port).

loop(Port) ->
    receive
        {Port, {data, Data}} ->
            {What, Bin, N} = binary_to_term(Data),
            Self = self(),
            Pid = spawn_link(fun() -> Self ! {self(), time(What, Bin, N)} end),
            receive {Pid, Ns} -> port_command(Port, term_to_binary(Ns)) end,
            loop(Port);
        {Port, eof} -> halt(0)
    end.

time(decode, Bin, N) ->
    Start = erlang:monotonic_time(nanosecond),
    decode(Bin, N),
    erlang:monotonic_time(nanosecond) - Start;
time(encode, Bin, N) ->
    Term = binary_to_term(Bin),
    Start = erlang:monotonic_time(nanosecond),
    encode(Term, N),
    erlang:monotonic_time(nanosecond) - Start;
time(iovec, Bin, N) ->
    Term = binary_to_term(Bin),
    Start = erlang:monotonic_time(nanosecond),
    iovec(Term, N),
    erlang:monotonic_time(nanosecond) - Start;
time(read_key, Bin, N) ->
    Start = erlang:monotonic_time(nanosecond),
    read_key(Bin, N),
    erlang:monotonic_time(nanosecond) - Start.

decode(_, 0) -> ok;
decode(Bin, N) -> binary_to_term(Bin), decode(Bin, N - 1).

encode(_, 0) -> ok;
encode(Term, N) -> true = byte_size(term_to_binary(Term)) > 0, encode(Term, N - 1).

iovec(_, 0) -> ok;
iovec(Term, N) -> [_ | _] = term_to_iovec(Term), iovec(Term, N - 1).

read_key(_, 0) -> ok;
read_key(Bin, N) -> #{target := _} = binary_to_term(Bin), read_key(Bin, N - 1).
