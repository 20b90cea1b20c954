// `key`: sorts the lines of that object, a log, by what they tell of, where it is. Answers `kind count first second ...` for each
// kind that occurs: how many lines, and the different things that they name. The expressions are compiled, and the first line of
// the answer printed, before the first call: a guest with iostream, regex and maps begins a call as fast as an empty one.

#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include <faasm/faasm.h>
#include <ganglion/manifest.h>
#include <ganglion/ndp.hpp>

#include "answer.hpp"

GANGLION_OBJECT_KEY(input)

namespace {

struct Found {
    std::size_t lines = 0;
    std::set<std::string> named;
};

/// Parts of expressions, by the names under which they are used below and in each other.
const std::map<std::string, std::string> parts = {
    {"ADDRESS", "(?:%{IPV4}|%{IPV6}|%{HOST})(?::%{PORT})?"},
    {"BYTE", R"((?:25[0-5]|2[0-4]\d|1?\d?\d))"},
    {"CLOCK", R"((?:2[0-3]|[01]?\d):[0-5]\d(?::(?:[0-5]\d|60)(?:[.,]\d+)?)?)"},
    {"DAEMON", R"((?:osd|mon|mgr|mds|client)\.[\w.-]+)"},
    {"DATE", R"((?:\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])|%{MONTH} +\d{1,2}))"},
    {"HEX", "[0-9a-fA-F]{1,4}"},
    {"HOST", R"((?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.)+[A-Za-z]{2,24})"},
    {"IPV4", R"(%{BYTE}\.%{BYTE}\.%{BYTE}\.%{BYTE})"},
    {"IPV6", "(?:%{HEX}:){7}%{HEX}|(?:%{HEX}:){1,6}:(?:%{HEX}:){0,5}%{HEX}|::(?:%{HEX}:){0,6}%{HEX}"},
    {"MONTH", "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"},
    {"NAME", R"([\w./-]+)"},
    {"NUMBER", R"([+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"},
    {"PATH", R"((?:/[\w.%+~-]+)+/?)"},
    {"PORT", R"(\d{1,5})"},
    {"QUERY", R"((?:\?[\w.%+&=~-]*)?)"},
    {"TIME", "%{DATE}[T ]%{CLOCK}(?:Z|[+-]\\d\\d:?\\d\\d)?"},
    {"URI", R"((?:https?|ftp|s3)://(?:%{USER}@)?%{ADDRESS}(?:%{PATH})?%{QUERY})"},
    {"USER", "[a-z_][a-z0-9_-]{0,31}"},
};

/// What a line can tell of; its first group is what it names.
const std::map<std::string, std::string> expressions = {
    {"address", "(?:^|[^\\w.:])(%{ADDRESS})(?=[^\\w.:]|$)"},
    {"checksum", "checksum (?:error|mismatch) (?:on|in) (%{NAME})"},
    {"connected", "(?:connect(?:ed|ion)|accept(?:ed)?) (?:from|to) (%{ADDRESS})"},
    {"down", "(%{DAEMON}) (?:is|was|marked itself) (?:down|dead|out)"},
    {"full", "(?:pool|disk|device) ['\"]?(%{NAME})['\"]? is (?:near|back)?full"},
    {"latency", "(?:latency|took|in) (%{NUMBER}) ?(?:ns|us|ms|s|seconds)"},
    {"login", "(?:session opened for|Accepted \\w+ for|login:?) (?:user )?(%{USER})(?: from %{ADDRESS} port %{PORT})?"},
    {"mail", "([\\w.+-]+@%{HOST})"},
    {"recovered", "(%{DAEMON}).*recover(?:ed|y) .*(%{NUMBER}) ?%"},
    {"request", "\"(?:GET|PUT|POST|DELETE|HEAD) (%{PATH})%{QUERY} HTTP/1\\.[01]\" [1-5]\\d\\d(?: %{NUMBER})?"},
    {"slow", "(\\d+) slow (?:requests?|ops?),"},
    {"time", "^(?:\\[)?(%{TIME})"},
    {"uri", "(%{URI})"},
    {"user", "\\buser[= ]['\"]?(%{USER})['\"]?"},
    {"warning", "\\b(?:WARN|WARNING|ERR|ERROR|FATAL)\\b:? *(%{NAME})"},
};

/// The expression with its parts in it.
std::string whole(const std::string& expression)
{
    static const std::regex named("%\\{([A-Z0-9]+)\\}");
    std::ostringstream text;
    auto rest = expression.begin();
    for (std::sregex_iterator part(expression.begin(), expression.end(), named), none; part != none; ++part) {
        text << std::string(rest, (*part)[0].first) << whole(parts.at((*part)[1]));
        rest = (*part)[0].second;
    }
    text << std::string(rest, expression.end());
    return text.str();
}

std::map<std::string, std::regex> compiled;
std::ostringstream answer;

} // namespace

FAASM_ZYGOTE()
{
    for (const auto& [kind, expression] : expressions) {
        compiled.emplace(kind, std::regex(whole(expression), std::regex::ECMAScript | std::regex::optimize));
    }
    answer << compiled.size() << " kinds of line\n";
    return 0;
}

FAASM_MAIN_FUNC()
{
    const std::string key = ganglion::input();
    std::map<std::string, Found> found;
    const int code = ganglion::on_storage(key, [&] {
        const auto object = ganglion::Object::open(key);
        if (!object) {
            return ndp::failed;
        }
        std::istringstream text{std::string(object.text())};
        for (std::string line; std::getline(text, line);) {
            for (const auto& [kind, expression] : compiled) {
                std::smatch match;
                if (std::regex_search(line, match, expression)) {
                    Found& of_kind = found[kind];
                    ++of_kind.lines;
                    of_kind.named.insert(match[1]);
                }
            }
        }
        return 0;
    });
    if (code != 0) {
        std::cerr << "cannot open object " << key << '\n';
        return ndp::fail(ndp::failed, "cannot open object ", key);
    }
    for (const auto& [kind, of_kind] : found) {
        answer << kind << ' ' << of_kind.lines;
        for (const std::string& name : of_kind.named) {
            answer << ' ' << name;
        }
        answer << '\n';
    }
    ganglion::set_output(answer.str());
    return 0;
}
