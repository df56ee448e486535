-- The writes that must be one atomic step. They know versions and states, not payments:
-- the rules live in Python. Every function may be repeated without harm, since a client that
-- lost a reply sends its call again.

-- Keeps a verified delivery, unless it is there already, and says whether its shard needs a
-- wake-up: the flag is set here, so that only the first of a burst pays for one.
-- KEYS delivery, inbox, wake   ARGV id, wake flag's TTL (ms), field, value, ...
local function append(keys, args)
  if redis.call('EXISTS', keys[1]) == 1 then
    -- Only a statistic: it is not worth a write to the disk, for which its sender would wait.
    -- To replicas it goes, so that who waits for those waits for the delivery as well.
    if redis.set_repl then redis.set_repl(redis.REPL_REPLICA) end
    redis.call('HINCRBY', keys[1], 'duplicates', 1)
    return {0, 0}
  end
  redis.call('HSET', keys[1], 'state', 'received', unpack(args, 3))
  redis.call('XADD', keys[2], '*', 'd', args[1])
  local due = redis.call('SET', keys[3], '1', 'NX', 'PX', args[2])
  return {1, due and 1 or 0}
end

-- Ends the work on inbox entries: each delivery's state and what came of it, its place in the list
-- of that state, and the entry itself. Many at once, since the disk is waited for after each call.
-- KEYS inbox, list, all other lists..., deliveries...   ARGV group, state, now (ms), how long to keep
-- the deliveries (ms, 0: until somebody acts), how many other lists, and for each delivery:
-- stream id, delivery id, how many of the following are its own, field, value, ...
-- What is packed comes first, and takes the place of all that it holds.
local function finish(keys, args)
  local lists, at = 2 + args[5], 6
  local entries, ids, listed = {}, {}, {}
  for key = lists + 1, #keys do
    local values, last = at + 3, at + 2 + args[at + 2]
    entries[#entries + 1] = args[at]
    if redis.call('EXISTS', keys[key]) == 1 then
      if args[values] == 'packed' then
        redis.call('HDEL', keys[key], 'meta', 'body', 'finished', 'notes', 'waits', 'sealed')
      end
      redis.call('HSET', keys[key], 'state', args[2], unpack(args, values, last))
      if args[4] ~= '0' then redis.call('PEXPIRE', keys[key], args[4]) end
      ids[#ids + 1] = args[at + 1]
      listed[#listed + 1] = args[3]
      listed[#listed + 1] = args[at + 1]
    end
    at = last + 1
  end
  if #ids > 0 then
    for key = 3, lists do redis.call('ZREM', keys[key], unpack(ids)) end
    redis.call('ZADD', keys[2], unpack(listed))
  end
  redis.call('XACK', keys[1], args[1], unpack(entries))
  redis.call('XDEL', keys[1], unpack(entries))
  return 1
end

-- Writes fields of a delivery that is still there.
-- KEYS delivery   ARGV field, value, ...
local function annotate(keys, args)
  if redis.call('EXISTS', keys[1]) == 0 then return 0 end
  redis.call('HSET', keys[1], unpack(args))
  return 1
end

-- Writes a body, or what it is packed in, anew: sealed with another key, or without the body.
-- Nothing happens if the delivery was packed, or packed anew, meanwhile.
-- KEYS delivery   ARGV field, its value so far, value ('' removes it), sealed ('' or '1'), digest
-- ('' if the body stays)
local function rewrite(keys, args)
  if redis.call('HGET', keys[1], args[1]) ~= args[2] then return 0 end
  if args[3] == '' then redis.call('HDEL', keys[1], args[1])
  else redis.call('HSET', keys[1], args[1], args[3]) end
  if args[4] == '' then redis.call('HDEL', keys[1], 'sealed')
  else redis.call('HSET', keys[1], 'sealed', args[4]) end
  if args[5] ~= '' then redis.call('HSET', keys[1], 'digest', args[5]) end
  return 1
end

-- Counts a try to settle a delivery that is still there.
-- KEYS delivery
local function count_try(keys, args)
  if redis.call('EXISTS', keys[1]) == 0 then return 0 end
  return redis.call('HINCRBY', keys[1], 'tries', 1)
end

-- Puts a delivery back into the inbox: its session was created, or an operator asks.
-- KEYS delivery, inbox, wake, lists it leaves...   ARGV delivery id, wake flag's TTL (ms)
local function requeue(keys, args)
  for key = 4, #keys do redis.call('ZREM', keys[key], args[1]) end
  if redis.call('EXISTS', keys[1]) == 0 then return {0, 0} end
  redis.call('HSET', keys[1], 'state', 'received')
  redis.call('HDEL', keys[1], 'tries', 'failure')
  redis.call('PERSIST', keys[1])
  redis.call('XADD', keys[2], '*', 'd', args[1])
  local due = redis.call('SET', keys[3], '1', 'NX', 'PX', args[2])
  return {1, due and 1 or 0}
end

-- Writes a session, its payment and its history if the session is still at the version that the
-- decision was taken on ('' means: it must not exist). An empty record writes history only.
-- The cart stands beside the record, so that a poll knows it without reading the record.
-- KEYS session, payment, history   ARGV expected version, new version, record, payment,
-- channel, message, cart, history key, decision, ...
local function commit(keys, args)
  if args[3] ~= '' then
    local version = redis.call('HGET', keys[1], 'version') or ''
    if version ~= args[1] then return 0 end
    redis.call('HSET', keys[1], 'version', args[2], 'record', args[3])
    if args[7] ~= '' then redis.call('HSET', keys[1], 'cart', args[7]) end
    if args[4] ~= '' then redis.call('SET', keys[2], args[4]) end
  end
  if #args > 7 then redis.call('HSET', keys[3], unpack(args, 8)) end
  if args[3] ~= '' then redis.call('PUBLISH', args[5], args[6]) end
  return 1
end

-- Takes a cart's place for a provider: one session a cart and provider. A place holds the session's
-- id and the time of the claim. Gives what holds the place now; '' once it is ours.
-- KEYS cart   ARGV place, id, claim, the stale claim that may be replaced
local function claim_place(keys, args)
  local holder = redis.call('HGET', keys[1], args[1]) or ''
  local id = string.match(holder, '^%S*')
  if holder ~= '' and holder ~= args[4] and id ~= args[2] then return holder end
  redis.call('HSET', keys[1], args[1], args[3])
  if holder ~= '' and id ~= args[2] and redis.call('HGET', keys[1], 'selected') == id then
    redis.call('HDEL', keys[1], 'selected')
  end
  return ''
end

-- Gives a cart's place back, if the session still holds it.
-- KEYS cart   ARGV place, id
local function leave_place(keys, args)
  local holder = redis.call('HGET', keys[1], args[1]) or ''
  if string.match(holder, '^%S*') ~= args[2] then return 0 end
  redis.call('HDEL', keys[1], args[1])
  if redis.call('HGET', keys[1], 'selected') == args[2] then redis.call('HDEL', keys[1], 'selected') end
  return 1
end

-- Selects the session that holds a place of the cart: at most one is, whoever else selects.
-- Tells who listens about the two sessions that it concerns.
-- KEYS cart   ARGV place, id, channel
local function select_place(keys, args)
  local holder = redis.call('HGET', keys[1], args[1]) or ''
  if string.match(holder, '^%S*') ~= args[2] then return 0 end
  local before = redis.call('HGET', keys[1], 'selected')
  redis.call('HSET', keys[1], 'selected', args[2])
  if before ~= args[2] then
    redis.call('PUBLISH', args[3], args[2] .. ' selected')
    if before then redis.call('PUBLISH', args[3], before .. ' selected') end
  end
  return 1
end

-- Writes a record that is still at the version that it was read at ('' means: not there).
-- KEYS record   ARGV expected version, new version, record
local function replace_record(keys, args)
  if (redis.call('HGET', keys[1], 'version') or '') ~= args[1] then return 0 end
  redis.call('HSET', keys[1], 'version', args[2], 'record', args[3])
  return 1
end

-- Writes a refused request down, and lets go of the oldest ones until the journal is within its
-- bounds again. Every entry begins with its size; what was later kept of one is noted beside it.
-- KEYS journal, its bytes, kept ones   ARGV entries at most, bytes at most, size, field, value, ...
local function journal(keys, args)
  local id = redis.call('XADD', keys[1], '*', 'size', args[3], unpack(args, 4))
  local bytes = redis.call('INCRBY', keys[2], args[3])
  local count = redis.call('XLEN', keys[1])
  while count > tonumber(args[1]) or (bytes > tonumber(args[2]) and count > 1) do
    local oldest = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', keys[1], oldest[1])
    redis.call('HDEL', keys[3], oldest[1])
    bytes = redis.call('DECRBY', keys[2], oldest[2][2])
    count = count - 1
  end
  return id
end

-- Lets go of refused requests that are older than an id.
-- KEYS journal, its bytes, kept ones   ARGV id
local function forget_rejected(keys, args)
  local old = redis.call('XRANGE', keys[1], '-', '(' .. args[1], 'COUNT', 500)
  for _, entry in ipairs(old) do
    redis.call('XDEL', keys[1], entry[1])
    redis.call('HDEL', keys[3], entry[1])
    redis.call('DECRBY', keys[2], entry[2][2])
  end
  return #old
end

-- Lists sessions under their status, in the month of their last change, and nowhere else.
-- KEYS the list, the months that have lists, all lists that they leave...
-- ARGV month, time (microseconds), session id, ...
local function list_sessions(keys, args)
  local ids = {}
  for at = 3, #args, 2 do ids[#ids + 1] = args[at] end
  redis.call('SADD', keys[2], args[1])
  redis.call('ZADD', keys[1], unpack(args, 2))
  for key = 3, #keys do redis.call('ZREM', keys[key], unpack(ids)) end
  return 1
end
