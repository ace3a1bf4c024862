-- Puts the contact where it belongs among those whose messages wait.
if sends.at then call('ZADD', queue, format('%d', sends.at), cid) else call('ZREM', queue, cid) end
