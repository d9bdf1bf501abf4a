// Drives a plugin library through NVIDIA's own plugin registry, as a script says:
//   conformance_driver <libtensorrt_rtx.so.1> <plugin library> <script>
// Every line of the script is a command of plugins.h and gives one line: "ok ..." or "error
// <reason>". What the library logs meanwhile comes before it, as lines "log <severity> <text>".
#include <cstdio>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>

#include "plugins.h"
#include "registry.h"
#include "text.h"

namespace conformance {
namespace {

using Command = std::string (Plugins::*)(const Words&);

const std::map<std::string, Command> kCommands = {
    {"create", &Plugins::create},       {"clone", &Plugins::clone},
    {"attach", &Plugins::attach},       {"reload", &Plugins::reload},
    {"destroy", &Plugins::destroy},     {"identity", &Plugins::identity},
    {"fields", &Plugins::fields},       {"types", &Plugins::types},
    {"shapes", &Plugins::shapes},       {"formats", &Plugins::formats},
    {"configure", &Plugins::configure}, {"workspace", &Plugins::workspace},
    {"reshape", &Plugins::reshape},     {"enqueue", &Plugins::enqueue},
    {"nulls", &Plugins::nulls},
};

std::string run_command(Plugins& plugins, const std::string& line) {
  Words words = split(line, ' ');
  const std::string name = words.at(0);
  words.erase(words.begin());
  if (name == "list") return plugins.list();
  const auto command = kCommands.find(name);
  if (command == kCommands.end()) throw std::runtime_error("unknown command " + name);
  return (plugins.*command->second)(words);
}

void run_script(const Registry& registry, const char* path) {
  Plugins plugins(registry);
  std::ifstream script(path);
  if (!script) throw std::runtime_error(std::string("cannot read ") + path);
  for (std::string line; std::getline(script, line);) {
    try {
      std::printf("ok %s\n", run_command(plugins, line).c_str());
    } catch (const std::exception& error) {
      std::printf("error %s\n", error.what());
    }
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace conformance

int main(int count, char** arguments) {
  if (count != 4) {
    std::fprintf(stderr, "usage: %s TENSORRT_LIBRARY PLUGIN_LIBRARY SCRIPT\n", arguments[0]);
    return 2;
  }
  try {
    const conformance::Registry registry(arguments[1], arguments[2]);
    conformance::run_script(registry, arguments[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
