// Every command and option that hints and documents name is there.
#include <algorithm>
#include <regex>

#include "apps/hints.h"
#include "apps/test_network_folder.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

/// What follows "lockstep " on a command line.
struct Named {
  std::string words;
  std::string where;
};

/// In documents: in backquotes, and lines of ```sh blocks.
std::vector<Named> named_in_document(const std::string& path) {
  std::vector<Named> found;
  const std::string text = text_in(path);
  static const std::regex quoted("`lockstep ([^`]*)`");
  for (std::sregex_iterator at(text.begin(), text.end(), quoted), end; at != end; ++at) {
    found.push_back({(*at)[1].str(), path});
  }
  std::istringstream lines(text);
  bool is_shell = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) {
      is_shell = line == "```sh";
    } else if (is_shell && line.starts_with("lockstep ")) {
      found.push_back({line.substr(9), path});
    }
  }
  return found;
}

/// In advice: from the program's name to the end of the sentence.
std::vector<Named> named_in_advice(const std::string& text) {
  std::vector<Named> found;
  static const std::regex said("lockstep ([a-z]+[^;,`.()]*)");
  for (std::sregex_iterator at(text.begin(), text.end(), said), end; at != end; ++at) {
    found.push_back({(*at)[1].str(), text});
  }
  return found;
}

std::vector<Named> all_advice() {
  const env::Address address{"127.0.0.1", 4100};
  std::vector<Error> errors = {no_network_yet("/d"),
                               wrong_path("a", {}),
                               port_in_use(address),
                               nobody_there(address),
                               somebody_else_there(address),
                               no_space("/d", 0),
                               clock_is_off(1),
                               already_up("/d", 2),
                               interrupted_at_once(),
                               interrupted_while_following("NAME")};
  constexpr uint16_t code_most = 9100;
  for (uint16_t code = 100; code < code_most; ++code) {
    errors.push_back(with_hint(refuse(static_cast<Code>(code), "x")));
  }
  std::vector<Named> found;
  for (const Error& error : errors) {
    const auto more = named_in_advice(error.next);
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

/// The subcommands that the words begin with, each of which the help of the one above names; "" for
/// one that there is not. `help` becomes that of the last.
std::string commands_of(const std::vector<std::string>& words, std::string& help) {
  std::string line;
  help = run("--help").text;
  for (const std::string& word : words) {
    const std::regex listed("\n  " + word + " +[a-z]");
    if (help.find("Subcommands:") == std::string::npos) {
      break;
    }
    if (!std::regex_search(help, listed)) {
      return {};
    }
    line += " " + word;
    const Output output = run(line + " --help");
    EXPECT_EQ(output.exit, 0) << line;
    help = output.text;
  }
  return line;
}

void expect_there(const Named& named) {
  std::vector<std::string> words;
  std::vector<std::string> options;
  std::istringstream parts(named.words.substr(0, named.words.find(" #")));
  static const std::regex is_word("[a-z]+");
  bool is_command = true;
  for (std::string part; parts >> part;) {
    is_command = is_command && std::regex_match(part, is_word);
    if (is_command) {
      words.push_back(part);
    } else if (part.starts_with("--")) {
      options.push_back(part.substr(0, part.find_first_of("=,;")));
    }
  }
  if (words.empty() || words.front() == "node") {  // hidden
    return;
  }
  std::string help;
  EXPECT_FALSE(commands_of(words, help).empty())
      << "there is no: lockstep " << named.words << "\n in " << named.where;
  for (const std::string& option : options) {
    EXPECT_NE(help.find(option), std::string::npos)
        << "lockstep " << named.words << " has no " << option << "\n in " << named.where;
  }
}

TEST(Commands, OfHintsAndDocumentsAreThere) {
  std::vector<Named> all = all_advice();
  EXPECT_GE(all.size(), 10U);
  std::vector<std::string> documents = {LOCKSTEP_SOURCE_DIR "/README.md"};
  for (const auto& entry : fs::directory_iterator(LOCKSTEP_SOURCE_DIR "/docs")) {
    if (entry.path().extension() == ".md") {
      documents.push_back(entry.path().string());
    }
  }
  for (const std::string& path : documents) {
    const auto more = named_in_document(path);
    all.insert(all.end(), more.begin(), more.end());
  }
  const auto same = [](const Named& a, const Named& b) { return a.words == b.words; };
  std::sort(
      all.begin(), all.end(), [](const Named& a, const Named& b) { return a.words < b.words; });
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  for (const Named& named : all) {
    expect_there(named);
  }
}

}  // namespace
}  // namespace lockstep::apps
