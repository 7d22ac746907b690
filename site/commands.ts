/** A page for each command, from the same definitions as `--help`: names, arguments, options, examples. */
import type { Command, Help, Option } from "commander";
import type { Context } from "../src/cli/context.js";
import { buildProgram } from "../src/cli/main.js";

/** What must not be read as Markdown or as a template of Vue. */
const text = (raw: string): string => raw.replace(/[\\|<>*_`[\]{}]/g, (character) => `&#${character.charCodeAt(0)};`);
const code = (raw: string): string => `<code v-pre>${text(raw)}</code>`;

/** The whole tree of commands; nothing is run. */
export function program(): Command {
  const nowhere = (): never => {
    throw new Error("a page about the command line runs no command");
  };
  const context = { out: nowhere, err: nowhere, listenForInterrupt: nowhere, terminal: false };
  return buildProgram(context as unknown as Context, nowhere);
}

/** Markdown by the name of the page: "index" lists all; one for each command of the first level. */
export function commandPages(): Map<string, string> {
  const strata = program();
  const help = strata.createHelp();
  const commands = visible(strata, help);
  const rows = commands.map(
    (command) => `| [${code(command.name())}](./${pageOf(command)}.md) | ${text(summary(command))} |`,
  );
  const index = [
    "---\noutline: false\n---",
    "# Commands",
    "Every command and option of the command line. These pages are made from the definitions that `--help` prints.",
    `| command | |\n|---|---|\n${rows.join("\n")}`,
    optionTables(strata, help),
    afterHelp(strata),
  ];
  const pages = commands.map((command): [string, string] => [
    pageOf(command),
    [`---\noutline: [2, 3]\n---`, ...sections(command, help, "strata", 1)].join("\n\n"),
  ]);
  return new Map([["index", index.join("\n\n")], ...pages]);
}

/** Not the bare name: there is a command `index`. */
export const pageOf = (command: Command): string => `strata-${command.name()}`;

const summary = (command: Command): string => command.description().split(/(?<=\.)\s/)[0];

const visible = (command: Command, help: Help): Command[] =>
  help.visibleCommands(command).filter((sub) => sub.name() !== "help");

/** A command, and below it those that it has. */
function sections(command: Command, help: Help, before: string, level: number): string[] {
  const name = `${before} ${command.name()}`;
  const commands = visible(command, help);
  const args = help.visibleArguments(command);
  return [
    `${"#".repeat(level)} ${name}`,
    text(command.description()),
    ...(commands.length > 0 ? [] : [`\`\`\`sh\n${name} ${command.usage()}\n\`\`\``]),
    ...(args.length > 0
      ? [
          `| argument | |\n|---|---|\n${args.map((argument) => `| ${code(help.argumentTerm(argument))} | ${text(help.argumentDescription(argument))} |`).join("\n")}`,
        ]
      : []),
    optionTables(command, help),
    afterHelp(command),
    ...commands.flatMap((sub) => sections(sub, help, name, Math.min(level + 1, 3))),
  ].filter((part) => part !== "");
}

/** The options in the groups that `--help` has. */
function optionTables(command: Command, help: Help): string {
  const groups = help.groupItems(
    [...command.options],
    help.visibleOptions(command),
    (option: Option) => option.helpGroupHeading ?? "Options:",
  );
  return [...groups]
    .map(([heading, options]) => {
      const rows = options.map(
        (option) => `| ${code(help.optionTerm(option))} | ${text(help.optionDescription(option))} |`,
      );
      return `| ${text(heading.replace(/:$/, ""))} | |\n|---|---|\n${rows.join("\n")}`;
    })
    .join("\n\n");
}

/** What `--help` prints below the options: examples and remarks. */
function afterHelp(command: Command): string {
  let printed = "";
  const write = (part: string) => {
    printed += part;
  };
  // An emitter, which its types do not say.
  const events = command as unknown as NodeJS.EventEmitter;
  events.emit("afterHelp", { error: false, command, write });
  return printed.trim() === "" ? "" : `\`\`\`text\n${printed.trim()}\n\`\`\``;
}
