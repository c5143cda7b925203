-- One load for wrk: wrk ... -s load.lua URL -- KIND AUTHORIZATION FOLDER ARGUMENT
--   put       new files of ARGUMENT bytes in FOLDER, each with a name and content of its own
--   get       the files `member N` of FOLDER, N below ARGUMENT
--   propfind  FOLDER with Depth 1; ARGUMENT `all` or `list`
-- Prints one line of JSON at the end.

local LIST = '<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:displayname/><D:getlastmodified/>'
    .. '<D:getcontentlength/><D:resourcetype/><D:getetag/><D:getcontenttype/><D:quota-used-bytes/></D:prop></D:propfind>'

local made = 0

function setup(thread)
    thread:set("thread_number", made)
    made = made + 1
end

local kind, folder, body, counter, members

function init(args)
    kind, folder = args[1], args[3]
    wrk.headers["Authorization"] = args[2]
    counter = 0
    if kind == "put" then
        math.randomseed(os.time() + thread_number)
        local bytes = {}
        for at = 1, tonumber(args[4]) do
            bytes[at] = string.char(math.random(0, 255))
        end
        body = table.concat(bytes)
    elseif kind == "get" then
        members = tonumber(args[4])
    else
        wrk.headers["Depth"] = "1"
        if args[4] == "list" then
            wrk.headers["Content-Type"] = "application/xml; charset=utf-8"
            body = LIST
        end
    end
end

function request()
    counter = counter + 1
    if kind == "put" then
        local tag = string.format("%08d-%03d", counter, thread_number)
        return wrk.format("PUT", folder .. "/" .. tag, nil, tag .. string.sub(body, #tag + 1))
    elseif kind == "get" then
        -- A stride that meets every member before it meets one twice.
        return wrk.format("GET", folder .. "/member%20" .. (counter * 7919 % members))
    end
    return wrk.format("PROPFIND", folder .. "/", nil, body)
end

function done(summary, latency)
    local errors = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    io.write(string.format('{"requests":%d,"seconds":%f,"bytes":%d,"errors":%d,"p50_ms":%f,"p99_ms":%f}\n', summary.requests,
        summary.duration / 1e6, summary.bytes, errors, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
