#include "apps/completion.h"

#include <CLI/CLI.hpp>
#include <array>

#include "spec/suggest.h"

namespace lockstep::apps {
namespace {

struct Word {
  std::string text;
  std::string about;
};

struct Flag {
  std::vector<std::string> names;  // with their dashes
  std::string about;
  bool valued = false;
  std::vector<std::string> values;  // that may follow; none: anything
};

/// What may be typed at one place of the command tree.
struct Place {
  std::string path;  // "" is the program itself, "/sim/run" a subcommand
  std::vector<Word> commands;
  std::vector<Flag> flags;
  std::vector<std::string> values;  // of the arguments
};

/// The values of `TEXT:{a,b}`, which is how a validator with a list describes itself.
std::vector<std::string> values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{');
  const size_t end = type.find('}', begin);
  std::vector<std::string> values;
  if (begin == std::string::npos || end == std::string::npos) {
    return values;
  }
  std::string value;
  for (const char letter : type.substr(begin + 1, end - begin - 1) + ",") {
    if (letter != ',') {
      value += letter;
    } else if (!value.empty()) {
      values.push_back(value);
      value.clear();
    }
  }
  return values;
}

void add_options(const CLI::App& app, Place& place) {
  for (const CLI::Option* const option : app.get_options()) {
    if (option->get_group().empty()) {
      continue;  // hidden
    }
    Flag flag;
    flag.about = option->get_description();
    flag.valued = option->get_items_expected_max() > 0;
    flag.values = values_of(*option);
    for (const std::string& name : option->get_lnames()) {
      flag.names.push_back("--" + name);
    }
    for (const std::string& name : option->get_snames()) {
      flag.names.push_back("-" + name);
    }
    if (flag.names.empty()) {
      place.values.insert(place.values.end(), flag.values.begin(), flag.values.end());
    } else {
      place.flags.push_back(std::move(flag));
    }
  }
}

/// Every place, each after the one that leads to it.
std::vector<Place> places_of(const CLI::App& app) {
  struct Node {
    const CLI::App* app;
    size_t place;
  };
  std::vector<Place> places(1);
  std::vector<Node> nodes = {{&app, 0}};
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Node node = nodes[i];
    add_options(*node.app, places[node.place]);
    for (const CLI::App* const below :
         node.app->get_subcommands([](const CLI::App*) { return true; })) {
      if (below->get_name().empty()) {
        nodes.push_back({below, node.place});  // a group of options, not a word to type
      } else if (!below->get_group().empty()) {
        places[node.place].commands.push_back({below->get_name(), below->get_description()});
        Place place;
        place.path = places[node.place].path + "/" + below->get_name();
        nodes.push_back({below, places.size()});
        places.push_back(std::move(place));
      }
    }
  }
  return places;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

/// In single quotes, for bash and zsh.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) {
    out += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  }
  return out + "'";
}

/// In single quotes, for fish, on one line.
std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') {
      out += '\\';
    }
    out += letter == '\n' ? ' ' : letter;
  }
  return out + "'";
}

/// "_lockstep" of "lockstep", with letters, digits and underscores only.
std::string function_of(const std::string& program) {
  std::string name = "_";
  for (const char letter : program) {
    const bool fits = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                      (letter >= '0' && letter <= '9');
    name += fits ? letter : '_';
  }
  return name;
}

std::string replaced(std::string text, const std::string& mark, const std::string& with) {
  for (size_t at = text.find(mark); at != std::string::npos;
       at = text.find(mark, at + with.size())) {
    text.replace(at, mark.size(), with);
  }
  return text;
}

/// The tables that bash and zsh share: sets the variables of the place $1; and the values that
/// may follow flag $2 there.
std::string tables(const std::vector<Place>& places) {
  std::string at = "@NAME@_at() {\n  case \"$1\" in\n";
  std::string values = "@NAME@_values() {\n  case \"$1 $2\" in\n";
  for (const Place& place : places) {
    std::vector<std::string> commands;
    std::vector<std::string> flags;
    std::vector<std::string> valued;
    for (const Word& command : place.commands) {
      commands.push_back(command.text);
    }
    for (const Flag& flag : place.flags) {
      flags.insert(flags.end(), flag.names.begin(), flag.names.end());
      if (flag.valued) {
        valued.insert(valued.end(), flag.names.begin(), flag.names.end());
      }
      for (const std::string& name : flag.names) {
        if (!flag.values.empty()) {
          values += "    " + quoted(place.path + " " + name) +
                    ") values=" + quoted(joined(flag.values)) + " ;;\n";
        }
      }
    }
    at += "    " + quoted(place.path) + ")\n      commands=" + quoted(joined(commands)) +
          "\n      flags=" + quoted(joined(flags)) + "\n      valued=" + quoted(joined(valued)) +
          "\n      values=" + quoted(joined(place.values)) + "\n      ;;\n";
  }
  const std::string end = "    *) values='' ;;\n  esac\n}\n";
  return at + "  esac\n}\n" + values + end;
}

constexpr const char* bash_script =
    R"(# Completion for bash. Now: source <(@PROGRAM@ completion bash)
# For good: @PROGRAM@ completion bash > ~/.local/share/bash-completion/completions/@PROGRAM@
@TABLES@@NAME@() {
  local current=${COMP_WORDS[COMP_CWORD]} at='' word i
  local commands='' flags='' valued='' values=''
  COMPREPLY=()
  @NAME@_at "$at"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ " $valued " == *" $word "* ]]; then
      ((++i))
    elif [[ " $commands " == *" $word "* ]]; then
      at=$at/$word
      @NAME@_at "$at"
    fi
  done
  if ((i > COMP_CWORD)); then
    @NAME@_values "$at" "$word"
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$commands $values" -- "$current"))
  fi
}
complete -o default -F @NAME@ @PROGRAM@
)";

constexpr const char* zsh_script = R"(#compdef @PROGRAM@
# Completion for zsh. Now: source <(@PROGRAM@ completion zsh)
# For good: @PROGRAM@ completion zsh > a file named _@PROGRAM@ in a folder of $fpath
@TABLES@@NAME@() {
  local current=${words[CURRENT]} at='' word
  local commands='' flags='' valued='' values=''
  integer i
  @NAME@_at "$at"
  for ((i = 2; i < CURRENT; i++)); do
    word=${words[i]}
    if [[ " $valued " == *" $word "* ]]; then
      ((++i))
    elif [[ " $commands " == *" $word "* ]]; then
      at=$at/$word
      @NAME@_at "$at"
    fi
  done
  if ((i > CURRENT)); then
    @NAME@_values "$at" "$word"
    if [[ -n $values ]]; then compadd -- ${=values}; else _files; fi
  elif [[ $current == -* ]]; then
    compadd -- ${=flags}
  elif [[ -n $commands$values ]]; then
    compadd -- ${=commands} ${=values}
  else
    _files
  fi
}
if [[ ${funcstack[1]} == @NAME@ ]]; then
  @NAME@ "$@"
else
  compdef @NAME@ @PROGRAM@
fi
)";

constexpr const char* fish_script =
    R"(# Completion for fish. Now: @PROGRAM@ completion fish | source
# For good: @PROGRAM@ completion fish > ~/.config/fish/completions/@PROGRAM@.fish
function @NAME@_is_at
  set -l at ''
  set -l skip 0
  set -l words (commandline -opc)
  for word in $words[2..-1]
    if test $skip = 1
      set skip 0
    else if contains -- "$at $word" $@NAME@_valued
      set skip 1
    else if contains -- "$at/$word" $@NAME@_commands
      set at $at/$word
    end
  end
  test "$at" = "$argv[1]"
end
complete -c @PROGRAM@ -e
)";

std::string fish_lines(const std::vector<Place>& places) {
  std::string commands = "set -g @NAME@_commands";
  std::string valued = "set -g @NAME@_valued";
  std::string lines;
  for (const Place& place : places) {
    const std::string here =
        "complete -c @PROGRAM@ -n " + fish_quoted("@NAME@_is_at '" + place.path + "'");
    // Files only where arguments may be files.
    if (!place.commands.empty() || !place.values.empty()) {
      lines += here + " -f\n";
    }
    for (const Word& command : place.commands) {
      commands += " " + fish_quoted(place.path + "/" + command.text);
      lines += here + " -a " + command.text + " -d " + fish_quoted(command.about) + "\n";
    }
    for (const std::string& value : place.values) {
      lines += here + " -a " + fish_quoted(value) + "\n";
    }
    for (const Flag& flag : place.flags) {
      lines += here;
      for (const std::string& name : flag.names) {
        lines += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        if (flag.valued) {
          valued += " " + fish_quoted(place.path + " " + name);
        }
      }
      lines += flag.valued ? (flag.values.empty() ? " -r -F" : " -x") : "";
      lines += flag.values.empty() ? "" : " -a " + fish_quoted(joined(flag.values));
      lines += " -d " + fish_quoted(flag.about) + "\n";
    }
  }
  return commands + "\n" + valued + "\n" + lines;
}

}  // namespace

Result<Shell> parse_shell(const std::string& name) {
  static constexpr std::array<std::string_view, 3> names = {"bash", "zsh", "fish"};
  for (size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) {
      return static_cast<Shell>(i);
    }
  }
  return refuse(
      Code::bad_option, "there is no completion for this shell", spec::advice(name, names), name);
}

std::string completion_script(const CLI::App& app, const std::string& program, Shell shell) {
  const std::vector<Place> places = places_of(app);
  std::string script;
  switch (shell) {
    case Shell::bash:
      script = replaced(bash_script, "@TABLES@", tables(places));
      break;
    case Shell::zsh:
      script = replaced(zsh_script, "@TABLES@", tables(places));
      break;
    case Shell::fish:
      script = fish_script + fish_lines(places);
      break;
  }
  return replaced(replaced(script, "@NAME@", function_of(program)), "@PROGRAM@", program);
}

}  // namespace lockstep::apps
