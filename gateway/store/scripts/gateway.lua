-- The writes that must be one atomic step. They know versions and states, not payments:
-- the rules live in Python. Every function may be repeated without harm, since a client that
-- lost a reply sends its call again.

-- Takes a delivery out of the lists that it may stand in: those after the first `from` keys.
local function unlist(keys, from, id)
  for at = from + 1, #keys do redis.call('ZREM', keys[at], id) end
end

-- Keeps a verified delivery, unless it is there already, and says whether its shard needs a
-- wake-up: the flag is set here, so that only the first of a burst pays for one.
-- KEYS delivery, inbox, wake, lists...   ARGV id, wake flag's TTL (ms), "1" if a finished delivery
-- with the same key is news again, field, value, ...
local function append(keys, args)
  local state = redis.call('HGET', keys[1], 'state')
  local again = state and args[3] == '1' and state ~= 'received'
  if state and not again then
    redis.call('HINCRBY', keys[1], 'duplicates', 1)
    return {0, 0}
  end
  unlist(keys, 3, args[1])
  redis.call('HDEL', keys[1], 'packed', 'notes', 'waits', 'finished')
  redis.call('HSET', keys[1], 'state', 'received', unpack(args, 4))
  redis.call('PERSIST', keys[1])
  redis.call('XADD', keys[2], '*', 'd', args[1])
  local due = redis.call('SET', keys[3], '1', 'NX', 'PX', args[2])
  return {1, due and 1 or 0}
end

-- Ends the work on an inbox entry: the delivery's state and what came of it, its place in the
-- list of that state, and the entry itself.
-- KEYS delivery, inbox, list, lists it leaves...   ARGV stream id, group, delivery id, state, now (ms),
-- how long to keep the delivery (ms, 0: until somebody acts), field, value, ...
local function finish(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then
    redis.call('HSET', keys[1], 'state', args[4], unpack(args, 7))
    unlist(keys, 3, args[3])
    redis.call('ZADD', keys[3], args[5], args[3])
    if args[6] ~= '0' then redis.call('PEXPIRE', keys[1], args[6]) end
  end
  redis.call('XACK', keys[2], args[2], args[1])
  redis.call('XDEL', keys[2], args[1])
  return 1
end

-- Puts a delivery back into the inbox: its session was created, or an operator asks.
-- KEYS delivery, inbox, wake, lists it leaves...   ARGV delivery id, wake flag's TTL (ms)
local function requeue(keys, args)
  unlist(keys, 3, args[1])
  if redis.call('EXISTS', keys[1]) == 0 then return {0, 0} end
  redis.call('HSET', keys[1], 'state', 'received')
  redis.call('PERSIST', keys[1])
  redis.call('XADD', keys[2], '*', 'd', args[1])
  local due = redis.call('SET', keys[3], '1', 'NX', 'PX', args[2])
  return {1, due and 1 or 0}
end

-- Writes a session, its payment and its history if the session is still at the version that the
-- decision was taken on ('' means: it must not exist). An empty record writes history only.
-- KEYS session, payment, history   ARGV expected version, new version, record, payment,
-- channel, message, history key, decision, ...
local function commit(keys, args)
  if args[3] ~= '' then
    local version = redis.call('HGET', keys[1], 'version') or ''
    if version ~= args[1] then return 0 end
    redis.call('HSET', keys[1], 'version', args[2], 'record', args[3])
    if args[4] ~= '' then redis.call('SET', keys[2], args[4]) end
  end
  if #args > 6 then redis.call('HSET', keys[3], unpack(args, 7)) end
  if args[3] ~= '' then redis.call('PUBLISH', args[5], args[6]) end
  return 1
end
