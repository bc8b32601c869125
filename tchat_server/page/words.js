// Made by `make page` from tchat_client/page_words.py.
export const LANGUAGES = [
"en",
"fr"
];
export const COMMANDS = [
{"name":"s","example":"s;david;hello","fields":["to:user:user","msg:text:text"],"also":["send","msg"],"action":"client-send"},
{"name":"b","example":"b;hello","fields":["msg:text:text"],"also":["broadcast"],"action":"client-broadcast"},
{"name":"ls","example":"ls;","fields":[],"action":"client-list-clients"},
{"name":"q","example":"q;","fields":[],"also":["quit","exit"],"action":"client-quit"},
{"name":"cg","example":"cg;wob","fields":["group:group:group","private:private:privacy?"],"also":["create"],"action":"cgroupe","names":true},
{"name":"j","example":"j;wob","fields":["group:group:group"],"also":["join"],"action":"join"},
{"name":"bg","example":"bg;wob;hello","fields":["group:group:group","msg:text:text"],"also":["say"],"action":"gbroadcast"},
{"name":"members","example":"members;wob","fields":["group:group:group"],"action":"members"},
{"name":"messages","example":"messages;wob;20","fields":["group:group:group","limit:how many:count?","before:before number:number?"],"also":["history"],"action":"msgs"},
{"name":"groups","example":"groups;","fields":[],"action":"groups"},
{"name":"leave","example":"leave;wob","fields":["group:group:group"],"action":"leave"},
{"name":"invite","example":"invite;wob;bob","fields":["group:group:group","dest:user:user"],"action":"invite"},
{"name":"kick","example":"kick;wob;bob;spam","fields":["group:group:group","dest:user:user","reason:reason:reason?"],"action":"kick"},
{"name":"ban","example":"ban;wob;bob;spam","fields":["group:group:group","dest:user:user","reason:reason:reason?"],"action":"ban"},
{"name":"unban","example":"unban;wob;bob","fields":["group:group:group","dest:user:user"],"action":"unban"},
{"name":"states","example":"states;wob","fields":["group:group:group","limit:how many:count?","before:before number:number?"],"action":"states"},
{"name":"register","example":"register;","fields":["password:password:password?"],"action":"register"},
{"name":"ping","example":"ping;","fields":[],"action":"ping"},
{"name":"help","example":"/help kick","fields":["command:command:command?"]},
{"name":"use","example":"/use wob","fields":["group:group:group"],"names":true},
{"name":"more","example":"/more","fields":["name:group or user:name?"]},
{"name":"search","example":"/search lunch","fields":["text:word:text"]},
{"name":"clear","example":"/clear","fields":[]},
{"name":"mute","example":"/mute bob","fields":["name:group or user:name"]},
{"name":"unmute","example":"/unmute bob","fields":["name:group or user:name"]},
{"name":"me","example":"/me waves","fields":["text:text:text"]},
{"name":"raw","example":"/raw {\"action\":\"ping\"}","fields":["text:JSON object:json"]},
{"name":"trace","example":"/trace on","fields":["on:on or off:switch"]}
];
export const LIMITS = {
"max_msg_bytes":8192,
"max_reason_bytes":390,
"max_name_chars":32,
"max_group_chars":64,
"max_page_entries":1000,
"max_integer":9007199254740992
};
export const GUESS = {
"elsewhere":{"who":"ls","users":"ls","online":"ls","names":"members","list":"groups","channels":"groups","rooms":"groups","part":"leave","query":"s","privmsg":"s","notice":"s","whisper":"s","w":"s","dm":"s","pm":"s","tell":"s","disconnect":"q","bye":"q","ignore":"mute","topic":null,"whois":null,"nick":null,"away":null,"mode":null,"op":null,"deop":null,"connect":null,"server":null},
"noWords":["b","bg","cg","ls","msg"],
"drastic":["ban","exit","kick","leave","q","quit"],
"sentences":["registered","registering","registers","registre","registrer","registry"]
};
