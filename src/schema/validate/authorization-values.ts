import { valueText, type Path } from '../problem.ts';
import { isCidr, isIp } from './addresses.ts';
import { each, type Report } from './violation.ts';

export type Texts = readonly string[];

/** Reports empty texts. Source: pkg/config/security CheckEmptyValues, 1.14 to 1.31. */
export function checkTexts(report: Report, at: Path, texts: Texts | undefined): void {
  each(texts, at, (text, here) => {
    if (text === '') report('missing', here, 'is empty', 'write a text, or remove it');
  });
}

/** Source: pkg/config/security ValidateIPs, 1.14 to 1.31. */
export function checkIps(report: Report, at: Path, blocks: Texts | undefined): void {
  each(blocks, at, (block, here) => {
    if (block === '' || (block.includes('/') ? isCidr(block) : isIp(block))) return;
    const hint = 'write an IP address, or a CIDR such as 10.0.0.0/8';
    report('addresses', here, `${valueText(block)} is no IP address and no CIDR`, hint);
  });
}

/** Source: pkg/config/security ValidatePorts, 1.14 to 1.31. */
export function checkPorts(report: Report, at: Path, ports: Texts | undefined): void {
  each(ports, at, (port, here) => {
    if (/^\d+$/.test(port) && Number(port) <= 65_535) return;
    report('ports', here, `${valueText(port)} is no port`, 'write a number up to 65535, in quotes');
  });
}
