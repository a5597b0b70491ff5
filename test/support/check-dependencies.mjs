// Runs the rules of .dependency-cruiser.cjs over src/ and migrate/, and fails where modules were missed.
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cruise } from 'dependency-cruiser';
import extractConfig from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTsConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const root = new URL('../../', import.meta.url);
const { forbidden } = createRequire(import.meta.url)('../../.dependency-cruiser.cjs');
// A folder that git does not know yet, because nothing is in it, holds no modules.
const folders = ['src', 'migrate'].filter((folder) => existsSync(new URL(`${folder}/`, root)));
const files = folders.flatMap((folder) =>
  readdirSync(new URL(`${folder}/`, root), { recursive: true }).filter((file) => file.endsWith('.ts')),
);

const options = await extractConfig('./.dependency-cruiser.cjs');
const { output } = await cruise(
  folders,
  { ...options, ruleSet: { forbidden }, validate: true, exclude: '^dist/' },
  undefined,
  { tsConfig: extractTsConfig('tsconfig.json') },
);
const modules = output.modules.filter(({ source }) => /^(src|migrate)\/.*\.ts$/.test(source));
for (const { from, to, rule } of output.summary.violations) console.error(`${rule.name}: ${from} → ${to}`);
console.log(
  `${modules.length} modules, ${output.summary.totalDependenciesCruised} imports, ${output.summary.error} violations`,
);
if (modules.length < files.length) {
  console.error(`only ${modules.length} of ${files.length} files were looked at`);
  process.exit(1);
}
process.exit(output.summary.error > 0 ? 1 : 0);
