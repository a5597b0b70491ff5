/** What a Pilot takes in one message, unless it is told to take more (`--mcpMaxMsgSize`, 1.1 to 1.8). */
export const pilotMessageBytes = 4 << 20;
