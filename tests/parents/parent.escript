#!/usr/bin/env escript
%% A parent application in Erlang: it starts `pons serve --stdio` as a port with {packet, 4} and talks to several adapters at once.
%%
%%     parent.escript PONS CONFIG [--xgboost]
%%
%% Prints one line a check; ends 0 when all hold, else 1 with the check that failed.
%% JSON and MessagePack values: map, list, binary (text), {bin, Binary}, number, true, false, null.
-mode(compile).

-define(DEADLINE, 30000). % milliseconds that any wait may take

main([Pons, Config | Flags]) ->
    io:setopts([{encoding, unicode}]),
    Host = start(Pons, Config),
    check_calls(Host),
    check_order(Host),
    check_crash(Host),
    check_errors(Host),
    lists:member("--xgboost", Flags) andalso check_model(Host),
    check_shutdown(Host),
    check_close(start(Pons, Config)),
    halt(0);
main(_) ->
    io:format(standard_error, "usage: parent.escript PONS CONFIG [--xgboost]~n", []),
    halt(2).

%% --- The host as a port -----------------------------------------------------------------------------------------------------

start(Pons, Config) ->
    open_port({spawn_executable, Pons},
              [{packet, 4}, binary, exit_status, {args, ["serve", "--stdio", "-c", Config]}]).

%% Sends a request; the id comes back in its reply.
send(Host, Codec, Id, Command, Args) -> send(Host, Codec, Id, Command, Args, #{}).

send(Host, Codec, Id, Command, Args, Fields) ->
    Request = Fields#{<<"id">> => Id, <<"command">> => Command, <<"args">> => Args},
    port_command(Host, encode(Codec, Request)),
    Id.

%% The reply to an id, and its codec. Replies to others stay in the mailbox, decoded, until somebody waits for them.
await(Host, Id) ->
    receive
        {reply, Host, Id, Codec, Reply} -> {Codec, Reply}
    after 0 ->
        receive
            {Host, {data, Body}} ->
                {Codec, Reply} = decode(Body),
                self() ! {reply, Host, maps:get(<<"id">>, Reply), Codec, Reply},
                await(Host, Id);
            {Host, {exit_status, Status}} ->
                fail("reply to request ~p", [Id], {host_ended, Status})
        after ?DEADLINE ->
            fail("reply to request ~p", [Id], none_in_time)
        end
    end.

%% Whether the reply to that id has arrived, without waiting.
arrived(Host, Id) ->
    {messages, Messages} = process_info(self(), messages),
    lists:any(fun({reply, H, I, _, _}) -> H =:= Host andalso I =:= Id;
                 ({H, {data, Body}}) -> H =:= Host andalso maps:get(<<"id">>, element(2, decode(Body))) =:= Id;
                 (_) -> false
              end, Messages).

call(Host, Codec, Command, Args) -> call(Host, Codec, Command, Args, #{}).

call(Host, Codec, Command, Args, Fields) ->
    Id = erlang:unique_integer([positive]),
    {ReplyCodec, Reply} = await(Host, send(Host, Codec, Id, Command, Args, Fields)),
    ReplyCodec =:= Codec orelse fail("codec of the reply to ~s", [Command], ReplyCodec),
    Reply.

result(Reply) -> maps:get(<<"result">>, Reply, Reply).
code(Reply) -> maps:get(<<"code">>, Reply, Reply).

%% --- Checks -----------------------------------------------------------------------------------------------------------------

check(Name, Arguments, Actual, Expected) when Actual == Expected ->
    io:format("ok   " ++ Name ++ "~n", Arguments);
check(Name, Arguments, Actual, Expected) ->
    fail(Name, Arguments, {expected, Expected, got, Actual}).

fail(Name, Arguments, Detail) ->
    io:format("FAIL " ++ Name ++ ": ~tp~n", Arguments ++ [Detail]),
    halt(1).

check_calls(Host) ->
    Args = #{<<"text">> => <<"größer 🌉 \"\\\n"/utf8>>, <<"numbers">> => [0, -1, 1 bsl 40, 1.5], <<"none">> => null, <<"yes">> => true},
    [begin
         check("host:ping in ~p", [Codec], maps:get(<<"success">>, call(Host, Codec, <<"host:ping">>, #{})), true),
         check("echo:echo in ~p", [Codec], result(call(Host, Codec, <<"echo:echo">>, Args)), Args),
         check("bare:add in ~p", [Codec],
               result(call(Host, Codec, <<"bare:add">>, #{<<"numbers">> => [1, 2, 39]})), #{<<"sum">> => 42}),
         check("bare:ping in ~p", [Codec],
               maps:get(<<"status">>, result(call(Host, Codec, <<"bare:ping">>, #{})), none), <<"ok">>)
     end || Codec <- [json, msgpack]],
    Data = #{<<"data">> => {bin, <<<<N>> || N <- lists:seq(0, 255)>>}},
    check("binary data keeps its type", [], result(call(Host, msgpack, <<"echo:echo">>, Data)), Data).

check_order(Host) ->
    Slow = send(Host, json, <<"slow">>, <<"echo:sleep">>, #{<<"ms">> => 60000}),
    Echoes = [{N, send(Host, msgpack, N, <<"echo:echo">>, #{<<"n">> => N})} || N <- lists:seq(1, 50)],
    Sums = [{N, send(Host, json, N, <<"bare:add">>, #{<<"numbers">> => [N]})} || N <- lists:seq(51, 100)],
    %% Awaited from the last to the first: whatever came earlier waits in the mailbox.
    [check("sum ~p of the pipeline", [N], result(element(2, await(Host, Id))), #{<<"sum">> => N}) || {N, Id} <- lists:reverse(Sums)],
    [check("echo ~p of the pipeline", [N], result(element(2, await(Host, Id))), #{<<"n">> => N}) || {N, Id} <- lists:reverse(Echoes)],
    check("the first request is still running", [], arrived(Host, Slow), false),
    Cancel = result(call(Host, msgpack, <<"host:cancel">>, #{<<"id">> => Slow})),
    check("host:cancel finds it", [], maps:get(<<"found">>, Cancel, Cancel), true),
    check("and it is answered", [], code(element(2, await(Host, Slow))), <<"cancelled">>).

check_crash(Host) ->
    Survivor = send(Host, msgpack, <<"survivor">>, <<"echo:sleep">>, #{<<"ms">> => 2000}),
    Crash = send(Host, json, <<"crash">>, <<"echo:crash">>, #{<<"signal">> => 9}),
    check("a crash gives worker_crashed", [], code(element(2, await(Host, Crash))), <<"worker_crashed">>),
    check("the other worker is still at it", [], arrived(Host, Survivor), false),
    check("another adapter does not notice", [], result(call(Host, msgpack, <<"bare:reverse">>, #{<<"text">> => <<"snop">>})),
          #{<<"text">> => <<"pons">>}),
    check("a request on the other worker ends well", [], maps:get(<<"success">>, element(2, await(Host, Survivor))), true),
    check("the pool goes on", [], result(call(Host, json, <<"echo:echo">>, #{<<"a">> => 1})), #{<<"a">> => 1}).

check_errors(Host) ->
    Cases = [{<<"nope:echo">>, #{}, #{}, <<"unknown_namespace">>},
             {<<"echo:nope">>, #{}, #{}, <<"unknown_command">>},
             {<<"host:nope">>, #{}, #{}, <<"unknown_command">>},
             {<<"echo:fail">>, #{<<"message">> => <<"as asked">>, <<"code">> => <<"model_error">>}, #{}, <<"model_error">>},
             {<<"echo:sleep">>, #{<<"ms">> => 60000}, #{<<"timeout_ms">> => 100}, <<"deadline_exceeded">>},
             {<<"bare:nope">>, #{}, #{}, <<"worker_error">>},
             {<<"echo:echo">>, #{}, #{<<"timeout_ms">> => -1}, <<"bad_request">>}],
    [check("~s gives ~s in ~p", [Command, Code, Codec], code(call(Host, Codec, Command, Args, Fields)), Code)
     || Codec <- [json, msgpack], {Command, Args, Fields, Code} <- Cases],
    port_command(Host, <<"{\"id\": 5, ">>),
    check("half a JSON object gives bad_frame with id 0", [], code(element(2, await(Host, 0))), <<"bad_frame">>),
    check("the connection goes on", [], maps:get(<<"success">>, call(Host, json, <<"host:ping">>, #{})), true).

%% Trains a real model and predicts with it, while another adapter works.
check_model(Host) ->
    Training = send(Host, msgpack, <<"train">>, <<"xgboost:create_model">>,
                    #{<<"dataset">> => <<"iris">>, <<"params">> => #{<<"max_depth">> => 3}, <<"rounds">> => 20, <<"seed">> => 7}),
    check("an echo while a model is trained", [], result(call(Host, json, <<"echo:echo">>, #{<<"n">> => 1})), #{<<"n">> => 1}),
    {msgpack, Model} = await(Host, Training),
    check("xgboost:create_model", [], maps:get(<<"success">>, Model), true),
    Inputs = #{<<"rows">> => [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]},
    Args = #{<<"resource_id">> => maps:get(<<"resource_id">>, result(Model)), <<"inputs">> => Inputs},
    [Json, Msgpack] = [maps:get(<<"predictions">>, result(call(Host, Codec, <<"xgboost:execute_resource">>, Args)))
                       || Codec <- [json, msgpack]],
    check("two flowers, two species", [], length(lists:usort(Json)), 2),
    check("the same prediction in MessagePack", [], Msgpack, Json).

%% Asks the host to end, and waits for its exit status.
check_shutdown(Host) ->
    check("host:shutdown is answered", [], maps:get(<<"success">>, call(Host, json, <<"host:shutdown">>, #{})), true),
    receive
        {Host, {exit_status, Status}} -> check("and the host ends 0", [], Status, 0)
    after ?DEADLINE -> fail("end of the host after host:shutdown", [], none_in_time)
    end.

%% Closes the port with a request under way. A closed port tells nothing more, so a second port watches the host's pid: tail ends when it is gone.
check_close(Host) ->
    {os_pid, Pid} = erlang:port_info(Host, os_pid),
    check("a second host answers", [], result(call(Host, json, <<"echo:echo">>, #{<<"n">> => 2})), #{<<"n">> => 2}),
    send(Host, msgpack, 1, <<"echo:sleep">>, #{<<"ms">> => 600000}),
    Watch = open_port({spawn_executable, os:find_executable("tail")},
                      [exit_status, {args, ["--sleep-interval=0.05", "--pid=" ++ integer_to_list(Pid), "-f", "/dev/null"]}]),
    port_close(Host),
    receive
        {Watch, {exit_status, Status}} -> check("a host whose port is closed ends at once", [], Status, 0)
    after ?DEADLINE -> fail("end of the host after port_close", [], {still_running, Pid})
    end.

%% --- JSON and MessagePack ---------------------------------------------------------------------------------------------------

encode(json, Value) -> iolist_to_binary(json(Value));
encode(msgpack, Value) -> iolist_to_binary(pack(Value)).

decode(<<First, _/binary>> = Body) ->
    {Codec, {Value, <<>>}} = case First of
        ${ -> {json, parse(Body)};
        _ -> {msgpack, unpack(Body)}
    end,
    {Codec, Value}.

json(Map) when is_map(Map) -> [${, lists:join($,, [[json(K), $:, json(V)] || {K, V} <- maps:to_list(Map)]), $}];
json(List) when is_list(List) -> [$[, lists:join($,, [json(V) || V <- List]), $]];
json(Text) when is_binary(Text) -> [$", [escape(C) || <<C>> <= Text], $"];
json(Number) when is_integer(Number) -> integer_to_binary(Number);
json(Number) when is_float(Number) -> float_to_binary(Number, [{scientific, 17}]);
json(Word) when Word =:= true; Word =:= false; Word =:= null -> atom_to_binary(Word).

escape(C) when C =:= $"; C =:= $\\ -> [$\\, C];
escape(C) when C < 32 -> io_lib:format("\\u~4.16.0b", [C]);
escape(C) -> C.

%% One value at the front; returns it and what follows.
parse(<<C, Rest/binary>>) when C =:= $\s; C =:= $\n; C =:= $\r; C =:= $\t -> parse(Rest);
parse(<<"true", Rest/binary>>) -> {true, Rest};
parse(<<"false", Rest/binary>>) -> {false, Rest};
parse(<<"null", Rest/binary>>) -> {null, Rest};
parse(<<$", Rest/binary>>) -> text(Rest, <<>>);
parse(<<$[, Rest/binary>>) -> items(skip(Rest), []);
parse(<<${, Rest/binary>>) -> members(skip(Rest), #{});
parse(Body) ->
    {match, [{0, Length}]} = re:run(Body, "^-?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?", [{capture, first}]),
    <<Digits:Length/binary, Rest/binary>> = Body,
    {number(Digits), Rest}.

number(Digits) ->
    try binary_to_integer(Digits)
    catch error:badarg ->
        try binary_to_float(Digits)
        catch error:badarg -> binary_to_float(re:replace(Digits, "[eE]", ".0e", [{return, binary}])) % 1e5: Erlang wants a fraction
        end
    end.

skip(<<C, Rest/binary>>) when C =:= $\s; C =:= $\n; C =:= $\r; C =:= $\t -> skip(Rest);
skip(Rest) -> Rest.

items(<<$], Rest/binary>>, Items) -> {lists:reverse(Items), Rest};
items(<<$,, Rest/binary>>, Items) -> items(Rest, Items);
items(Body, Items) ->
    {Item, Rest} = parse(Body),
    items(skip(Rest), [Item | Items]).

members(<<$}, Rest/binary>>, Map) -> {Map, Rest};
members(<<$,, Rest/binary>>, Map) -> members(skip(Rest), Map);
members(<<$", Body/binary>>, Map) ->
    {Key, AfterKey} = text(Body, <<>>),
    <<$:, AfterColon/binary>> = skip(AfterKey),
    {Value, Rest} = parse(AfterColon),
    members(skip(Rest), Map#{Key => Value}).

text(<<$", Rest/binary>>, Text) -> {Text, Rest};
text(<<"\\u", High:4/binary, "\\u", Low:4/binary, Rest/binary>>, Text) when High >= <<"D800">>, High < <<"DC00">>;
                                                                          High >= <<"d800">>, High < <<"dc00">> ->
    Code = 16#10000 + ((binary_to_integer(High, 16) band 16#3ff) bsl 10) + (binary_to_integer(Low, 16) band 16#3ff),
    text(Rest, <<Text/binary, Code/utf8>>);
text(<<"\\u", Hex:4/binary, Rest/binary>>, Text) -> text(Rest, <<Text/binary, (binary_to_integer(Hex, 16))/utf8>>);
text(<<$\\, C, Rest/binary>>, Text) ->
    Byte = case C of $n -> $\n; $t -> $\t; $r -> $\r; $b -> $\b; $f -> $\f; _ -> C end,
    text(Rest, <<Text/binary, Byte>>);
text(<<C, Rest/binary>>, Text) -> text(Rest, <<Text/binary, C>>).

pack(Map) when is_map(Map), map_size(Map) < 16 -> [16#80 + map_size(Map) | members(Map)];
pack(Map) when is_map(Map) -> [<<16#df, (map_size(Map)):32>> | members(Map)];
pack(List) when is_list(List) -> [<<16#dd, (length(List)):32>> | [pack(V) || V <- List]];
pack({bin, Data}) -> <<16#c6, (byte_size(Data)):32, Data/binary>>;
pack(Text) when is_binary(Text) -> <<16#db, (byte_size(Text)):32, Text/binary>>;
pack(Number) when is_integer(Number) -> <<16#d3, Number:64/signed>>;
pack(Number) when is_float(Number) -> <<16#cb, Number/float>>;
pack(null) -> 16#c0;
pack(false) -> 16#c2;
pack(true) -> 16#c3.

members(Map) -> [[pack(K), pack(V)] || {K, V} <- maps:to_list(Map)].

%% One value at the front; returns it and what follows.
unpack(<<0:1, N:7, Rest/binary>>) -> {N, Rest};
unpack(<<2#111:3, N:5, Rest/binary>>) -> {N - 32, Rest};
unpack(<<2#1000:4, N:4, Rest/binary>>) -> unpack_map(N, Rest);
unpack(<<2#1001:4, N:4, Rest/binary>>) -> unpack_list(N, Rest, []);
unpack(<<2#101:3, N:5, Text:N/binary, Rest/binary>>) -> {Text, Rest};
unpack(<<16#c0, Rest/binary>>) -> {null, Rest};
unpack(<<16#c2, Rest/binary>>) -> {false, Rest};
unpack(<<16#c3, Rest/binary>>) -> {true, Rest};
unpack(<<16#c4, N, Data:N/binary, Rest/binary>>) -> {{bin, Data}, Rest};
unpack(<<16#c5, N:16, Data:N/binary, Rest/binary>>) -> {{bin, Data}, Rest};
unpack(<<16#c6, N:32, Data:N/binary, Rest/binary>>) -> {{bin, Data}, Rest};
unpack(<<16#ca, N:32/float, Rest/binary>>) -> {N, Rest};
unpack(<<16#cb, N:64/float, Rest/binary>>) -> {N, Rest};
unpack(<<16#cc, N, Rest/binary>>) -> {N, Rest};
unpack(<<16#cd, N:16, Rest/binary>>) -> {N, Rest};
unpack(<<16#ce, N:32, Rest/binary>>) -> {N, Rest};
unpack(<<16#cf, N:64, Rest/binary>>) -> {N, Rest};
unpack(<<16#d0, N/signed, Rest/binary>>) -> {N, Rest};
unpack(<<16#d1, N:16/signed, Rest/binary>>) -> {N, Rest};
unpack(<<16#d2, N:32/signed, Rest/binary>>) -> {N, Rest};
unpack(<<16#d3, N:64/signed, Rest/binary>>) -> {N, Rest};
unpack(<<16#d9, N, Text:N/binary, Rest/binary>>) -> {Text, Rest};
unpack(<<16#da, N:16, Text:N/binary, Rest/binary>>) -> {Text, Rest};
unpack(<<16#db, N:32, Text:N/binary, Rest/binary>>) -> {Text, Rest};
unpack(<<16#dc, N:16, Rest/binary>>) -> unpack_list(N, Rest, []);
unpack(<<16#dd, N:32, Rest/binary>>) -> unpack_list(N, Rest, []);
unpack(<<16#de, N:16, Rest/binary>>) -> unpack_map(N, Rest);
unpack(<<16#df, N:32, Rest/binary>>) -> unpack_map(N, Rest).

unpack_list(0, Rest, Items) -> {lists:reverse(Items), Rest};
unpack_list(N, Body, Items) ->
    {Item, Rest} = unpack(Body),
    unpack_list(N - 1, Rest, [Item | Items]).

unpack_map(N, Body) ->
    {Flat, Rest} = unpack_list(2 * N, Body, []),
    {pairs(Flat, #{}), Rest}.

pairs([], Map) -> Map;
pairs([Key, Value | Rest], Map) -> pairs(Rest, Map#{Key => Value}).
