"""Asks who and where at the start; keys and answers in French; reads 1024 bytes at a time; a KeyError ends it."""

import json
import os
import select
import socket
import sys

pseudo = input("Votre pseudo : ")
hote = input("Adresse du serveur [localhost] : ") or "localhost"
port = int(input("Port ? ") or os.environ.get("PORT", "8080"))
sock = socket.socket()
sock.connect((hote, port))


def envoyer(action, **champs):
    sock.send(json.dumps({"action": action, "expediteur": pseudo, **champs}, ensure_ascii=False).encode())


envoyer("client-hello")
print("Connecté. Tapez une commande.")
while True:
    prets, _, _ = select.select([sock, sys.stdin], [], [])
    if sock in prets:
        data = sock.recv(1024)
        if not data:
            print("Serveur fermé")
            break
        m = json.loads(data)
        action = m["action"]
        if action == "client-send":
            print(f"{m['expediteur']} vous dit : {m['contenu']}")
        elif action == "client-broadcast":
            print(f"{m['expediteur']} dit à tous : {m['contenu']}")
        elif action == "gbroadcast":
            print(f"[{m['groupe']}] {m['expediteur']} : {m['contenu']}")
        elif action in ("client-list-clients", "members", "groups", "msgs", "states"):
            print("Réponse : " + ", ".join(m["liste"]))
        elif action == "erreur":
            print("Erreur : " + m["contenu"])
        elif action == "groupe":
            print("Info : " + m["contenu"])
    if sys.stdin in prets:
        ligne = sys.stdin.readline()
        if not ligne:
            break
        mots = ligne.strip().split(";")
        commande, reste = mots[0], mots[1:] + ["", "", ""]
        if commande == "s":
            envoyer("client-send", destinataire=reste[0], contenu=reste[1])
        elif commande == "b":
            envoyer("client-broadcast", contenu=reste[0])
        elif commande == "ls":
            envoyer("client-list-clients")
        elif commande == "cg":
            envoyer("cgroupe", groupe=reste[0])
        elif commande == "j":
            envoyer("join", groupe=reste[0])
        elif commande == "bg":
            envoyer("gbroadcast", groupe=reste[0], contenu=reste[1])
        elif commande == "members":
            envoyer("members", groupe=reste[0])
        elif commande == "messages":
            envoyer("msgs", groupe=reste[0])
        elif commande == "groups":
            envoyer("groups")
        elif commande == "leave":
            envoyer("leave", groupe=reste[0])
        elif commande == "invite":
            envoyer("invite", groupe=reste[0], destinataire=reste[1])
        elif commande in ("kick", "ban"):
            envoyer(commande, groupe=reste[0], destinataire=reste[1], raison=reste[2])
        elif commande == "unban":
            envoyer("unban", groupe=reste[0], destinataire=reste[1])
        elif commande == "states":
            envoyer("states", groupe=reste[0])
        elif commande == "q":
            envoyer("client-quit")
            break
