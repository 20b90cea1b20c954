-- The wordcount in the language that runs inside of an OSD (cls_lua).
function wordcount(input, output)
  local size = objclass.stat()
  local text = objclass.read(0, size):str()
  local counts, words = {}, {}
  for word in string.gmatch(text, "%S+") do
    local count = counts[word]
    if count then
      counts[word] = count + 1
    else
      counts[word] = 1
      words[#words + 1] = word
    end
  end
  table.sort(words)
  local lines = {}
  for i, word in ipairs(words) do
    lines[i] = word .. "\t" .. counts[word] .. "\n"
  end
  output:append(table.concat(lines))
end
objclass.register(wordcount)
